/** The property `expiration`: milliseconds to live, as decimal text (https://www.rabbitmq.com/docs/ttl). */
import { preconditionFailed } from './broker-error.ts';

/** Ten years of 365 days, in milliseconds: the longest that RabbitMQ takes. */
const EXPIRATION_MAX_MS = 315_360_000_000;

/**
 * The milliseconds that a message may live.
 *
 * @throws BrokerError PRECONDITION_FAILED when the text is no number of milliseconds
 */
export function parseExpiration(text: string): number {
  const [, digits, rest = ''] = /^([+-]?\d+)(.*)$/s.exec(text) ?? [];
  if (digits === undefined) throw invalid(text, 'no_integer');
  if (rest !== '') {
    throw invalid(text, `{leftover_string,"${rest.replaceAll(/["\\]/g, '\\$&')}"}`);
  }
  const ms = Number(digits);
  if (ms < 0) throw invalid(text, `{value_negative,${BigInt(digits)}}`);
  if (ms > EXPIRATION_MAX_MS) {
    throw invalid(text, `{value_too_large,${BigInt(digits.replace('+', ''))}}`);
  }
  return ms;
}

function invalid(text: string, reason: string): Error {
  return preconditionFailed(`invalid expiration '${text}': ${reason}`);
}
