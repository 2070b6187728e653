/**
 * Field tables: typed values under short names, nested at will (spec 4.2.5.5, as RabbitMQ reads and
 * writes them: https://www.rabbitmq.com/amqp-0-9-1-errata section 3).
 *
 *     table   = u32 size of what follows, then  *( shortstr key, value )
 *     value   = octet tag, then by tag:
 *       't' boolean, one octet            'D' decimal: octet scale, i32 unscaled value
 *       'b' i8      'B' u8                'S' long string: u32 size, octets
 *       's' i16     'u' u16               'x' byte array: u32 size, octets
 *       'I' i32     'i' u32               'A' array: u32 size in octets, values
 *       'l' i64     'L' i64               'T' timestamp: u64 seconds since 1970
 *       'f' float   'd' double            'F' table          'V' nothing
 *
 * A decoded value keeps its tag, so that it encodes to the bytes it came from. What is lost: a second
 * entry under the same key (the first counts), the octet of a true boolean other than 1, and which of
 * the many NaNs a NaN was.
 *
 * For tables as plain objects see plain-table.ts.
 */
import { readU16, readU32, readUtf8, writeShortstr, writeU32 } from './bytes.ts';
import { REPLY_FRAME_ERROR, REPLY_SYNTAX_ERROR, WireError } from './wire-error.ts';

/** One value with its wire type. */
export type FieldValue =
  | { readonly tag: 't'; readonly value: boolean }
  | { readonly tag: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd'; readonly value: number }
  /** 64-bit integers: a bigint only where a number is not exact. */
  | { readonly tag: 'l' | 'L' | 'T'; readonly value: number | bigint }
  /** `value` is unscaled: the number meant is value / 10^scale. */
  | { readonly tag: 'D'; readonly scale: number; readonly value: number }
  /** A Buffer only where the octets are not valid UTF-8. */
  | { readonly tag: 'S'; readonly value: string | Buffer }
  | { readonly tag: 'x'; readonly value: Buffer }
  | { readonly tag: 'A'; readonly value: readonly FieldValue[] }
  | { readonly tag: 'F'; readonly value: FieldTable }
  | { readonly tag: 'V'; readonly value: null };

/** The tag of a value: its wire type. */
export type FieldTag = FieldValue['tag'];

/** A table in the order of the wire. */
export type FieldTable = ReadonlyMap<string, FieldValue>;

/** The table without entries. */
export const EMPTY_TABLE: FieldTable = new Map<string, FieldValue>();

/** Bounds on what a peer may make us build. */
export interface FieldTableLimits {
  /** Tables and arrays within each other; the outermost table is 1. */
  readonly depthMax: number;
  /** Octets of the outermost table, without its length. */
  readonly sizeMax: number;
}

/** Deepest nesting accepted where nothing else is said. */
export const FIELD_TABLE_DEPTH_MAX = 64;
/** Largest table accepted where nothing else is said, in octets. */
export const FIELD_TABLE_SIZE_MAX = 1_048_576;

const DEFAULT_LIMITS: FieldTableLimits = {
  depthMax: FIELD_TABLE_DEPTH_MAX,
  sizeMax: FIELD_TABLE_SIZE_MAX,
};

const NOTHING: FieldValue = { tag: 'V', value: null };

/**
 * Decodes the table whose u32 length is at `at`; no octet from `end` on is read. The table takes
 * `4 + that length` octets. Byte strings are copied.
 *
 * @throws WireError 501 when it is cut short or does not end where its length says, 502 when it holds
 *   an unknown tag or passes a limit.
 */
export function decodeFieldTable(
  buf: Buffer,
  at: number,
  end: number,
  limits: FieldTableLimits = DEFAULT_LIMITS,
): FieldTable {
  const decoder = new TableDecoder(buf, at, end, limits);
  const size = decoder.u32();
  return decoder.table(size, 1);
}

/**
 * Decodes a table without its length from `buf[at..end)`: the form in which AMQPLAIN sends it.
 *
 * @throws WireError as {@link decodeFieldTable}.
 */
export function decodeFieldTableBody(
  buf: Buffer,
  at: number,
  end: number,
  limits: FieldTableLimits = DEFAULT_LIMITS,
): FieldTable {
  return new TableDecoder(buf, at, end, limits).table(end - at, 1);
}

/**
 * Decodes one value, whose tag is at `at`; no octet from `end` on is read.
 *
 * @throws WireError as {@link decodeFieldTable}.
 */
export function decodeFieldValue(buf: Buffer, at: number, end: number): FieldValue {
  return new TableDecoder(buf, at, end, DEFAULT_LIMITS).value(1);
}

/** Octets that the table takes, its u32 length included. */
export function sizeOfFieldTable(table: FieldTable): number {
  let size = 4;
  for (const [key, value] of table) size += 1 + Buffer.byteLength(key) + 1 + sizeOfValue(value);
  return size;
}

/**
 * Encodes the table, its u32 length first.
 *
 * @returns the offset behind it, `at + sizeOfFieldTable(table)`.
 * @throws RangeError when a key takes more than 255 octets, a number is outside the range of its tag,
 *   or the buffer is too small.
 */
export function encodeFieldTable(buf: Buffer, at: number, table: FieldTable): number {
  const end = encodeFieldTableBody(buf, at + 4, table);
  if (end > buf.length) throw new RangeError(`table of ${end - at} octets does not fit`);
  writeU32(buf, at, end - at - 4);
  return end;
}

/** Encodes the entries of the table without its length; returns the offset behind them. */
export function encodeFieldTableBody(buf: Buffer, at: number, table: FieldTable): number {
  let p = at;
  for (const [key, value] of table) {
    p = writeShortstr(buf, p, key);
    p = encodeValue(buf, p, value);
  }
  return p;
}

class TableDecoder {
  private readonly buf: Buffer;
  private at: number;
  private readonly end: number;
  private readonly limits: FieldTableLimits;

  constructor(buf: Buffer, at: number, end: number, limits: FieldTableLimits) {
    this.buf = buf;
    this.at = at;
    this.end = end;
    this.limits = limits;
  }

  u32(): number {
    return readU32(this.buf, this.take(4));
  }

  table(size: number, depth: number): FieldTable {
    const stop = this.open(size, depth);
    if (size === 0) return EMPTY_TABLE;
    const table = new Map<string, FieldValue>();
    while (this.at < stop) {
      const key = this.key();
      const value = this.value(depth);
      if (!table.has(key)) table.set(key, value);
    }
    this.close(stop);
    return table;
  }

  private array(size: number, depth: number): readonly FieldValue[] {
    const stop = this.open(size, depth);
    const values: FieldValue[] = [];
    while (this.at < stop) values.push(this.value(depth));
    this.close(stop);
    return values;
  }

  /** Checks that a table or array of `size` octets may begin here; returns where it must end. */
  private open(size: number, depth: number): number {
    // First of all: a length that nothing stands behind is no table that is too large.
    if (size > this.end - this.at) throw this.truncated(size);
    if (depth > this.limits.depthMax) {
      throw this.illegal(`table nested deeper than ${this.limits.depthMax}`);
    }
    if (size > this.limits.sizeMax) {
      throw this.illegal(`table of ${size} octets, at most ${this.limits.sizeMax} are accepted`);
    }
    return this.at + size;
  }

  private close(stop: number): void {
    if (this.at === stop) return;
    throw new WireError(REPLY_FRAME_ERROR, 'table entry passes the end of its table', stop);
  }

  private key(): string {
    const size = this.buf[this.take(1)]!;
    const start = this.take(size);
    const key = readUtf8(this.buf, start, start + size);
    if (key === null) throw new WireError(REPLY_FRAME_ERROR, 'Malformed UTF-8 in shortstr', start);
    return key;
  }

  /** The next value, in a table or array of that depth. */
  value(depth: number): FieldValue {
    const code = this.buf[this.take(1)]!;
    const tag = String.fromCharCode(code);
    switch (tag) {
      case 't':
        return { tag, value: this.buf[this.take(1)] !== 0 };
      case 'b':
        return { tag, value: this.buf.readInt8(this.take(1)) };
      case 'B':
        return { tag, value: this.buf[this.take(1)]! };
      case 's':
        return { tag, value: this.buf.readInt16BE(this.take(2)) };
      case 'u':
        return { tag, value: readU16(this.buf, this.take(2)) };
      case 'I':
        return { tag, value: this.buf.readInt32BE(this.take(4)) };
      case 'i':
        return { tag, value: this.u32() };
      case 'f':
        return { tag, value: this.buf.readFloatBE(this.take(4)) };
      case 'd':
        return { tag, value: this.buf.readDoubleBE(this.take(8)) };
      case 'l':
      case 'L':
        return { tag, value: numberIfSafe(this.buf.readBigInt64BE(this.take(8))) };
      case 'T':
        return { tag, value: numberIfSafe(this.buf.readBigUInt64BE(this.take(8))) };
      case 'D':
        return {
          tag,
          scale: this.buf[this.take(1)]!,
          value: this.buf.readInt32BE(this.take(4)),
        };
      case 'S': {
        const size = this.u32();
        const start = this.take(size);
        const text = readUtf8(this.buf, start, start + size);
        return { tag, value: text ?? this.copy(start, size) };
      }
      case 'x': {
        const size = this.u32();
        return { tag, value: this.copy(this.take(size), size) };
      }
      case 'A':
        return { tag, value: this.array(this.u32(), depth + 1) };
      case 'F':
        return { tag, value: this.table(this.u32(), depth + 1) };
      case 'V':
        return NOTHING;
      default:
        throw new WireError(REPLY_SYNTAX_ERROR, `unknown field type ${code}`, this.at - 1);
    }
  }

  private copy(start: number, size: number): Buffer {
    return Buffer.from(this.buf.subarray(start, start + size));
  }

  private take(size: number): number {
    const at = this.at;
    if (size > this.end - at) throw this.truncated(size);
    this.at = at + size;
    return at;
  }

  private truncated(size: number): WireError {
    const left = Math.max(0, this.end - this.at);
    return new WireError(REPLY_FRAME_ERROR, `${size} octets expected, ${left} left`, this.at);
  }

  private illegal(text: string): WireError {
    return new WireError(REPLY_SYNTAX_ERROR, text, this.at);
  }
}

function numberIfSafe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function sizeOfValue(field: FieldValue): number {
  switch (field.tag) {
    case 'V':
      return 0;
    case 't':
    case 'b':
    case 'B':
      return 1;
    case 's':
    case 'u':
      return 2;
    case 'I':
    case 'i':
    case 'f':
      return 4;
    case 'D':
      return 5;
    case 'd':
    case 'l':
    case 'L':
    case 'T':
      return 8;
    case 'S':
    case 'x':
      return 4 + Buffer.byteLength(field.value);
    case 'A': {
      let size = 4;
      for (const item of field.value) size += 1 + sizeOfValue(item);
      return size;
    }
    case 'F':
      return sizeOfFieldTable(field.value);
  }
}

/** Writes tag and value. The methods of Buffer check the range of the number. */
function encodeValue(buf: Buffer, at: number, field: FieldValue): number {
  buf[at] = field.tag.charCodeAt(0);
  const p = at + 1;
  switch (field.tag) {
    case 'V':
      return p;
    case 't':
      buf[p] = field.value ? 1 : 0;
      return p + 1;
    case 'b':
      return buf.writeInt8(field.value, p);
    case 'B':
      return buf.writeUInt8(field.value, p);
    case 's':
      return buf.writeInt16BE(field.value, p);
    case 'u':
      return buf.writeUInt16BE(field.value, p);
    case 'I':
      return buf.writeInt32BE(field.value, p);
    case 'i':
      return buf.writeUInt32BE(field.value, p);
    case 'f':
      return buf.writeFloatBE(field.value, p);
    case 'd':
      return buf.writeDoubleBE(field.value, p);
    case 'l':
    case 'L':
      return buf.writeBigInt64BE(BigInt(field.value), p);
    case 'T':
      return buf.writeBigUInt64BE(BigInt(field.value), p);
    case 'D':
      return buf.writeInt32BE(field.value, buf.writeUInt8(field.scale, p));
    case 'S':
    case 'x':
      return encodeBytes(buf, p, field.value);
    case 'A': {
      let end = p + 4;
      for (const item of field.value) end = encodeValue(buf, end, item);
      writeU32(buf, p, end - p - 4);
      return end;
    }
    case 'F':
      return encodeFieldTable(buf, p, field.value);
  }
}

function encodeBytes(buf: Buffer, at: number, value: string | Buffer): number {
  const size = Buffer.byteLength(value);
  writeU32(buf, at, size);
  if (typeof value === 'string') buf.write(value, at + 4);
  else value.copy(buf, at + 4);
  return at + 4 + size;
}
