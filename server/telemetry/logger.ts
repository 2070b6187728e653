/**
 * The server's log: pino, made once at start and passed by constructor.
 *
 * A line is one JSON object: `level` by name, `time` in ISO 8601, `event` (what happened, as
 * `noun.verb`, stable, for programs and tests), the context keys, and `msg` (for people: constant,
 * lower case, present tense; what varies is in keys of its own). Levels:
 * - fatal: the process or a vhost stops          - error: a promise to a user was broken
 * - warn: repaired or refused                    - info: life of connections, vhosts, listeners
 * - debug: life of channels, consumers, segments - trace: frames
 *
 * Passwords, their hashes, SASL responses and message bodies are cut out by key, should a caller
 * hand them over by mistake. Keys are cut at the top and one level down, by this file: pino's own `redact` copies every
 * object of every line, a third of what a line costs, and a login writes two.
 */
import { pino } from 'pino';
import type { LogLevel } from '../config/config.ts';
import type { LogOutput } from './log-output.ts';

/** What a line says besides its message. `err` is written with its stack and its causes. */
export interface LogFields {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** The only keys that a child logger may carry. */
export interface LogContext {
  readonly component?: string;
  readonly vhost?: string;
  readonly queue?: string;
  readonly exchange?: string;
  readonly conn?: string;
  readonly channel?: number;
  readonly consumer?: string;
  readonly link?: string;
}

/** One log line: what varies first, the constant text after it. */
export type LogCall = (fields: LogFields, message: string) => void;

/** What everyone who logs is given. */
export interface Logger {
  readonly fatal: LogCall;
  readonly error: LogCall;
  readonly warn: LogCall;
  readonly info: LogCall;
  readonly debug: LogCall;
  readonly trace: LogCall;
  /** A logger whose lines all carry `context`. */
  child(context: LogContext): Logger;
  /** Whether lines of a level are written; for callers that would have to work to make one. */
  isLevelEnabled(level: LogLevel): boolean;
}

const SECRET_KEYS: ReadonlySet<string> = new Set([
  'password',
  'passwordHash',
  'password_hash',
  'response',
  'authorization',
  'secret',
  'body',
]);

/** What stands in the log instead of a secret. */
export const redacted = '[redacted]';

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** The least level that is written; `silent` writes nothing. */
  readonly level: LogLevel | 'silent';
  readonly output: LogOutput;
}

/** Makes the root logger. */
export function createLogger({ level, output }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
      serializers: { err: (error: Error) => cutSecrets(pino.stdSerializers.err(error)) },
    },
    output,
  );
}

/** What a line may say of `fields`, which are not changed. An `err` is cut when it is serialized. */
function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  const shown = cutSecrets(fields);
  let copy = shown === fields ? null : shown;
  for (const key of Object.keys(shown)) {
    const value = shown[key];
    if (typeof value !== 'object' || value === null || value instanceof Error) continue;
    const cut = cutSecrets(value as Record<string, unknown>);
    if (cut === value) continue;
    copy ??= { ...fields };
    copy[key] = cut;
  }
  return copy ?? fields;
}

/** The object itself where it has no secret key, otherwise a copy. */
function cutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  let copy: Record<string, unknown> | null = null;
  for (const key of Object.keys(fields)) {
    if (!SECRET_KEYS.has(key)) continue;
    copy ??= { ...fields };
    copy[key] = redacted;
  }
  return copy ?? fields;
}

/** A logger that writes nothing, for programs that embed the server and for tests. */
export function createSilentLogger(): Logger {
  return createLogger({ level: 'silent', output: { write: () => undefined } });
}
