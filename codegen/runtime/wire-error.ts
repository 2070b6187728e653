/** Bytes that are not what the protocol says they must be. */

/** Reply code of a malformed frame (spec 1.2: frame-error). */
export const REPLY_FRAME_ERROR = 501;
/** Reply code of a well-formed frame with an illegal value in it (spec 1.2: syntax-error). */
export const REPLY_SYNTAX_ERROR = 502;

/**
 * Malformed bytes on the wire (or in a file that holds wire bytes).
 *
 * `replyCode` is the AMQP reply code with which a peer answers them (spec 1.2 constants), `offset` the
 * place in the buffer that was being read, -1 where it is not known.
 */
export class WireError extends Error {
  readonly replyCode: number;
  readonly offset: number;

  constructor(replyCode: number, text: string, offset: number = -1) {
    super(text);
    this.name = 'WireError';
    this.replyCode = replyCode;
    this.offset = offset;
  }
}

/** A 64-bit integer that a number cannot hold exactly; `value` is what it is. */
export class IntegerTooLarge extends WireError {
  readonly value: bigint;

  constructor(value: bigint, offset: number) {
    super(REPLY_SYNTAX_ERROR, '64-bit integer above 2^53-1', offset);
    this.name = 'IntegerTooLarge';
    this.value = value;
  }
}
