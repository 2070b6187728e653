/** Bodies as RabbitMQ's HTTP API shows them: as text where they are UTF-8, else as base64. */
import { isUtf8 } from 'node:buffer';

/** How a payload is written. */
export type PayloadEncoding = 'string' | 'base64';

/** A body, or the beginning of one. */
export interface Payload {
  readonly payload: string;
  readonly payload_encoding: PayloadEncoding;
}

/** The whole body. */
export function payloadOf(body: Buffer): Payload {
  return isUtf8(body)
    ? { payload: body.toString('utf8'), payload_encoding: 'string' }
    : { payload: body.toString('base64'), payload_encoding: 'base64' };
}

/** The first bytes of a body; a character that is cut at the end is left out. */
export function beginningOf(body: Buffer, size: number): Payload {
  const start = body.subarray(0, size);
  for (let end = start.length; end > Math.max(0, start.length - 4); end--) {
    const whole = start.subarray(0, end);
    if (isUtf8(whole)) return payloadOf(whole);
  }
  return payloadOf(start);
}
