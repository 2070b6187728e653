/**
 * A cursor over received bytes: every read checks the bounds and moves on.
 *
 * One reader per connection is enough: `reset` points it at the next frame. It copies nothing: a long
 * string is a view that is valid only as long as the bytes under it.
 */
import { readU16, readU32, readU64, readUtf8 } from './bytes.ts';
import { decodeFieldTable, type FieldTable } from './field-table.ts';
import { IntegerTooLarge, REPLY_FRAME_ERROR, WireError } from './wire-error.ts';

/** Reads AMQP's elementary types (spec 4.2.5) one after the other from `buf[at..end)`. */
export class ByteReader {
  buf: Buffer;
  /** Offset of the next read. */
  at: number;
  /** Offset behind the last octet that may be read. */
  end: number;

  constructor(buf: Buffer = Buffer.alloc(0), at: number = 0, end: number = buf.length) {
    this.buf = buf;
    this.at = at;
    this.end = end;
  }

  /** Points the reader at `buf[at..end)`. */
  reset(buf: Buffer, at: number, end: number): this {
    this.buf = buf;
    this.at = at;
    this.end = end;
    return this;
  }

  /** Reads an unsigned octet. */
  u8(): number {
    return this.buf[this.take(1)]!;
  }

  /** Reads an unsigned 16-bit integer. */
  u16(): number {
    return readU16(this.buf, this.take(2));
  }

  /** Reads an unsigned 32-bit integer. */
  u32(): number {
    return readU32(this.buf, this.take(4));
  }

  /**
   * Reads an unsigned 64-bit integer.
   *
   * @throws IntegerTooLarge (502) above 2^53-1, which a number cannot hold exactly.
   */
  u64(): number {
    const at = this.take(8);
    const value = readU64(this.buf, at);
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new IntegerTooLarge(this.buf.readBigUInt64BE(at), at);
    }
    return value;
  }

  /**
   * Reads a short string.
   *
   * @throws WireError 501 when it is not valid UTF-8.
   */
  shortstr(): string {
    const at = this.take(1);
    const size = this.buf[at]!;
    const start = this.take(size);
    const text = readUtf8(this.buf, start, start + size);
    if (text === null) throw new WireError(REPLY_FRAME_ERROR, 'Malformed UTF-8 in shortstr', at);
    return text;
  }

  /** Reads a long string: a borrowed view, valid as long as the buffer under it. */
  longstr(): Buffer {
    const size = this.u32();
    const start = this.take(size);
    return this.buf.subarray(start, start + size);
  }

  /** Reads a field table; its byte strings are copies. */
  table(): FieldTable {
    const at = this.take(4);
    const table = decodeFieldTable(this.buf, at, this.end);
    this.take(readU32(this.buf, at));
    return table;
  }

  /** Steps over `size` octets. */
  skip(size: number): void {
    this.take(size);
  }

  /** Steps over a short string without looking at its text. */
  skipShortstr(): void {
    this.skip(this.u8());
  }

  /** Steps over a long string or field table without looking inside. */
  skipLongstr(): void {
    this.skip(this.u32());
  }

  /**
   * States that everything has been read.
   *
   * @throws WireError 501 when octets are left.
   */
  finish(): void {
    if (this.at !== this.end) {
      const left = this.end - this.at;
      throw new WireError(REPLY_FRAME_ERROR, `${left} octets behind the last field`, this.at);
    }
  }

  /** Moves the cursor over `size` octets and returns where it was. */
  private take(size: number): number {
    const at = this.at;
    if (size > this.end - at) {
      const left = Math.max(0, this.end - at);
      throw new WireError(REPLY_FRAME_ERROR, `${size} octets expected, ${left} left`, at);
    }
    this.at = at + size;
    return at;
  }
}
