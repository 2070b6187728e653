/**
 * Errors as AMQP answers them: a reply code, a text, and whether the channel or the connection ends.
 *
 * Every error that a client can cause becomes one of these: a {@link ProtocolError} is one already, a
 * BrokerError is mapped by its code, a WireError carries its reply code.
 */
import {
  ACCESS_REFUSED,
  BASIC_PUBLISH_ID,
  CHANNEL_ERROR,
  COMMAND_INVALID,
  INTERNAL_ERROR,
  NOT_ALLOWED,
  NOT_FOUND,
  NOT_IMPLEMENTED,
  PRECONDITION_FAILED,
  REPLY_CODES,
  RESOURCE_ERROR,
  RESOURCE_LOCKED,
  UNEXPECTED_FRAME,
  WireError,
} from '../../generated/index.ts';
import { BrokerError, type BrokerErrorCode } from '../broker/broker-error.ts';
import type { StorageError } from '../storage/storage-error.ts';

/** A reply text is a short string. */
const REPLY_TEXT_SIZE_MAX = 255;

/** What ends. */
export type ErrorScope = 'channel' | 'connection';

/** Where an error differs from what its reply code says. */
export interface ProtocolErrorOptions {
  /** Given where RabbitMQ's scope is not the reply code's own. */
  readonly scope?: ErrorScope;
  /** Given where another method than the current one is to blame. */
  readonly methodId?: number;
  /** What went wrong here, for the server's own log. */
  readonly cause?: Error;
}

/** A violation of the protocol, or a refusal that the protocol has its own word for. */
export class ProtocolError extends Error {
  readonly replyCode: number;
  readonly scope: ErrorScope;
  /** The method to blame, as class id x 65536 + method id (0: none); null: the one being carried out. */
  readonly methodId: number | null;

  constructor(replyCode: number, text: string, options?: ProtocolErrorOptions) {
    super(text, options?.cause === undefined ? {} : { cause: options.cause });
    this.name = 'ProtocolError';
    this.replyCode = replyCode;
    const ownScope = REPLY_CODES[replyCode]?.scope === 'channel' ? 'channel' : 'connection';
    this.scope = options?.scope ?? ownScope;
    this.methodId = options?.methodId ?? null;
  }
}

export function channelError(text: string): ProtocolError {
  return new ProtocolError(CHANNEL_ERROR, text);
}

export function unexpectedFrame(text: string): ProtocolError {
  return new ProtocolError(UNEXPECTED_FRAME, text);
}

/** A frame that is out of place where no method was begun. */
export function strayFrame(text: string): ProtocolError {
  return new ProtocolError(UNEXPECTED_FRAME, text, { methodId: 0 });
}

export function commandInvalid(text: string): ProtocolError {
  return new ProtocolError(COMMAND_INVALID, text);
}

export function notAllowed(text: string, methodId?: number): ProtocolError {
  return new ProtocolError(NOT_ALLOWED, text, methodId === undefined ? {} : { methodId });
}

/** More channels than were agreed on; no method is to blame. */
export function tooManyChannels(count: number, max: number): ProtocolError {
  return notAllowed(
    `number of channels opened (${count}) has reached the negotiated channel_max (${max})`,
    0,
  );
}

export function notImplemented(text: string): ProtocolError {
  return new ProtocolError(NOT_IMPLEMENTED, text);
}

export function preconditionFailed(text: string): ProtocolError {
  return new ProtocolError(PRECONDITION_FAILED, text);
}

/** The disk refuses a large body. RabbitMQ, which keeps bodies in memory, has no wording for it. */
export function bodyNotStored(cause: StorageError): ProtocolError {
  return new ProtocolError(RESOURCE_ERROR, `message body cannot be stored${reasonOf(cause)}`, {
    scope: 'channel',
    methodId: BASIC_PUBLISH_ID,
    cause,
  });
}

/**
 * A large body cannot be read back. Only a connection can end in the middle of a content: nothing may come
 * between the frames of a channel's message.
 */
export function bodyNotRead(cause: StorageError, scope: ErrorScope): ProtocolError {
  return new ProtocolError(INTERNAL_ERROR, `message body cannot be read${reasonOf(cause)}`, {
    scope,
    methodId: 0,
    cause,
  });
}

function reasonOf({ errno }: StorageError): string {
  return errno === '' ? '' : `: ${errno}`;
}

/** The reply code of each refusal of the broker; a new code does not compile until it is decided here. */
const BROKER_REPLY_CODES: Readonly<Record<BrokerErrorCode, number>> = {
  ACCESS_REFUSED,
  NOT_FOUND,
  RESOURCE_LOCKED,
  PRECONDITION_FAILED,
};

/** Any error as AMQP answers it; what nobody foresaw is an internal error of the connection. */
export function toProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (error instanceof BrokerError) {
    return new ProtocolError(BROKER_REPLY_CODES[error.code], error.message);
  }
  if (error instanceof WireError) {
    return new ProtocolError(error.replyCode, error.message, { scope: 'connection' });
  }
  return new ProtocolError(INTERNAL_ERROR, '');
}

/** `NOT_FOUND - no queue 'q' in vhost '/'`, cut to what a short string holds. */
export function replyText(error: ProtocolError): string {
  const name = REPLY_CODES[error.replyCode]?.name ?? 'INTERNAL_ERROR';
  const text = error.message === '' ? name : `${name} - ${error.message}`;
  if (Buffer.byteLength(text) <= REPLY_TEXT_SIZE_MAX) return text;
  const cut = Buffer.from(text)
    .subarray(0, REPLY_TEXT_SIZE_MAX - 3)
    .toString();
  // A character cut in two decodes to one that is longer than what is left of it.
  return `${cut.replace(/\uFFFD$/, '')}...`;
}
