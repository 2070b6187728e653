/**
 * Rows of a long queue that lie on disk and that nobody has taken from, as plain numbers: a row is some 500 bytes as an
 * object, and a hundred million waiting messages have twelve thousand of them.
 *
 *     record     first f64 | bytes f64 | bytes f64 | segment u32 | segment u32 | slot u32 | since u32 | crc u32 | counts u32
 *                            of the first, the second segment                            count x 2^16 + those in the first
 *
 * A record stays where it is, so that its *handle* stays the same; free ones are a list through their first word. Which
 * rows can be packed says {@link PackedRows.canTake}; the list that holds handles beside rows is row-list.ts.
 */
import { type IndexRow, TRIPLET } from './index-row.ts';

const RECORD_BYTES = 48;
const RECORDS_FIRST = 16;
const DOUBLES = RECORD_BYTES / 8;
const WORDS = RECORD_BYTES / 4;
const COUNT_SHIFT = 0x10000;
const WORD_SPAN = 2 ** 32;

// Doubles of a record ...
const FIRST = 0;
const BYTES = 1;
const BYTES_OTHER = 2;
// ... and words.
const SEGMENT = 6;
const SEGMENT_OTHER = 7;
const SLOT = 8;
const SINCE = 9;
const CRC = 10;
const COUNTS = 11;

/** The records of one queue. */
export class PackedRows {
  private doubles: Float64Array;
  private words: Uint32Array;
  /** Records up to here were used. */
  private end: number;
  /** The first free record before `end`, or -1. */
  private free: number;
  private usedCount: number;

  constructor() {
    this.doubles = new Float64Array(0);
    this.words = new Uint32Array(0);
    this.end = 0;
    this.free = -1;
    this.usedCount = 0;
  }

  /** Bytes of memory. */
  get byteLength(): number {
    return this.doubles.byteLength;
  }

  /** Whether a record can tell all of a row: whole on disk, nothing of it settled or returned, one segment or two. */
  canTake(row: IndexRow): boolean {
    return (
      row.positions === null &&
      row.slot >= 0 &&
      row.live === row.count &&
      row.settledBits === null &&
      row.stored === row.count &&
      row.returns === null &&
      row.segments.length <= 2 * TRIPLET &&
      row.slotSince < WORD_SPAN &&
      row.count < COUNT_SHIFT
    );
  }

  /** Takes a row in; returns its handle. */
  add(row: IndexRow): number {
    const handle = this.take();
    const { doubles, words } = this;
    const [segment = 0, count = 0, bytes = 0, other = 0, , bytesOther = 0] = row.segments;
    const at = handle * DOUBLES;
    const word = handle * WORDS;
    doubles[at + FIRST] = row.first;
    doubles[at + BYTES] = bytes;
    doubles[at + BYTES_OTHER] = bytesOther;
    words[word + SEGMENT] = segment;
    words[word + SEGMENT_OTHER] = other;
    words[word + SLOT] = row.slot;
    words[word + SINCE] = row.slotSince;
    words[word + CRC] = row.crc;
    words[word + COUNTS] = row.count * COUNT_SHIFT + count;
    return handle;
  }

  /** The first sequence number of a row. */
  first(handle: number): number {
    return this.doubles[handle * DOUBLES + FIRST]!;
  }

  /** Writes what a record tells over all of `row`. */
  read(handle: number, row: IndexRow): void {
    const { doubles, words } = this;
    const at = handle * DOUBLES;
    const word = handle * WORDS;
    const counts = words[word + COUNTS]!;
    const count = Math.floor(counts / COUNT_SHIFT);
    const inFirst = counts % COUNT_SHIFT;
    row.first = doubles[at + FIRST]!;
    row.count = count;
    row.live = count;
    row.settledPrefix = 0;
    row.settledBits = null;
    row.positions = null;
    row.segments.length = 0;
    row.segments.push(words[word + SEGMENT]!, inFirst, doubles[at + BYTES]!);
    if (inFirst < count) {
      row.segments.push(words[word + SEGMENT_OTHER]!, count - inFirst, doubles[at + BYTES_OTHER]!);
    }
    row.returns = null;
    row.slot = words[word + SLOT]!;
    row.slotSince = words[word + SINCE]!;
    row.stored = count;
    row.crc = words[word + CRC]!;
    row.isGone = false;
  }

  /** The record is not needed any more. With the last one goes all memory. */
  remove(handle: number): void {
    if (--this.usedCount === 0) {
      this.clear();
      return;
    }
    this.words[handle * WORDS] = this.free + 1;
    this.free = handle;
  }

  clear(): void {
    this.doubles = new Float64Array(0);
    this.words = new Uint32Array(0);
    this.end = 0;
    this.free = -1;
    this.usedCount = 0;
  }

  private take(): number {
    this.usedCount++;
    const handle = this.free;
    if (handle >= 0) {
      this.free = this.words[handle * WORDS]! - 1;
      return handle;
    }
    if ((this.end + 1) * DOUBLES > this.doubles.length) this.grow();
    return this.end++;
  }

  private grow(): void {
    const records = Math.max(RECORDS_FIRST, 2 * this.end);
    const doubles = new Float64Array(records * DOUBLES);
    doubles.set(this.doubles);
    this.doubles = doubles;
    this.words = new Uint32Array(doubles.buffer);
  }
}
