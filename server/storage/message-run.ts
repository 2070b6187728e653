/**
 * @hot Messages that a publisher sent one behind the other, and that differ in nothing but their bodies: most publishers
 * send such ones. What is the same for all is looked at once.
 *
 *     area    ... | frames | body | frames | body | frames | body | ...
 *     stored  ------------------------------> taken            count
 *
 * Storage takes them in pieces: those that fit into one batch of the log, or one block of memory. Bench: scenario
 * throughput.
 */
import { type ByteArea, copyBytes, newByteArea, repeatBytes } from '../base/byte-area.ts';
import {
  emptyMessageParts,
  MESSAGE_HEAD_SIZE,
  type MessageParts,
  RECORD_MESSAGE,
  writeMessageHead,
} from './record-format.ts';

/** Messages of a run, at most; another one begins behind them. */
export const RUN_LENGTH_MAX = 1024;
/** Envelope and properties that are larger, in bytes in all, are not worth to be compared with the last ones. */
export const REPEATED_SIZE_MAX = 1024;
/** Records with bodies of one size are laid down together if they are so many at least, ... */
const ALIKE_MIN = 8;
/** ... and their bodies no larger: they are copied twice. */
const ALIKE_BODY_MAX = 128;

/** One run; one object for all of a server, each used up before the next begins. */
export class MessageRun {
  /** Messages of the run. */
  count: number;
  /** Those that have been stored, and those of them that the last piece had. */
  taken: number;
  pieceCount: number;
  /** Body bytes of the last piece. */
  pieceBytes: number;
  /** Positions of the last piece. */
  readonly positions: Float64Array;
  /** Where the bodies begin, and their sizes in bytes. */
  private readonly bodiesAt: Int32Array;
  private readonly bodySizes: Int32Array;
  /** Holds the bodies: borrowed. */
  private area: ByteArea;
  /** What every record begins with: its head, envelope and properties. */
  private readonly prefix: ByteArea;
  private prefixSize: number;
  private envelopeSize: number;

  constructor() {
    this.count = 0;
    this.taken = 0;
    this.pieceCount = 0;
    this.pieceBytes = 0;
    this.positions = new Float64Array(RUN_LENGTH_MAX);
    this.bodiesAt = new Int32Array(RUN_LENGTH_MAX);
    this.bodySizes = new Int32Array(RUN_LENGTH_MAX);
    this.area = emptyMessageParts().body;
    this.prefix = newByteArea(MESSAGE_HEAD_SIZE + REPEATED_SIZE_MAX);
    this.prefixSize = 0;
    this.envelopeSize = 0;
  }

  /** Forgets the messages of the last one. */
  clear(): void {
    this.count = 0;
    this.taken = 0;
  }

  /** Begins a run of messages like `first`, which is not one of them; false: they are none for a run. */
  begin(first: MessageParts): boolean {
    const { head, envelopeAt, envelopeSize, propertiesAt, propertiesSize } = first;
    if (envelopeSize + propertiesSize > REPEATED_SIZE_MAX) return false;
    this.area = first.body;
    this.envelopeSize = envelopeSize;
    this.prefixSize = MESSAGE_HEAD_SIZE + envelopeSize + propertiesSize;
    copyBytes(this.prefix, MESSAGE_HEAD_SIZE, head, envelopeAt, envelopeSize);
    copyBytes(this.prefix, MESSAGE_HEAD_SIZE + envelopeSize, head, propertiesAt, propertiesSize);
    return true;
  }

  /** HOT per publish. Adds a message with its body at `bodyAt` of the area of {@link begin}'s body; true: it is full. */
  add(bodyAt: number, bodySize: number): boolean {
    const at = this.count++;
    this.bodiesAt[at] = bodyAt;
    this.bodySizes[at] = bodySize;
    return at + 1 === RUN_LENGTH_MAX;
  }

  /** Size in bytes of the record that is written next. */
  get nextSize(): number {
    return this.prefixSize + this.bodySizes[this.taken]!;
  }

  /** Body bytes of `count` messages of the last piece from its message `at` on. */
  bodyBytes(at: number, count: number): number {
    if (count === this.pieceCount) return this.pieceBytes;
    const from = this.taken - this.pieceCount + at;
    let bytes = 0;
    for (let i = from; i < from + count; i++) bytes += this.bodySizes[i]!;
    return bytes;
  }

  /**
   * HOT per publish. Writes a piece of the run: a record at `at`, for which there is room, and those behind it that end before
   * `limit`. `start` is the position of the first byte of `to`; `routeSet` and `ageMs` as in {@link writeMessageHead}.
   *
   * @returns the offset behind the last of them
   */
  write(
    to: ByteArea,
    at: number,
    limit: number,
    start: number,
    routeSet: number,
    ageMs: number,
  ): number {
    const { area, prefix, prefixSize, bodiesAt, bodySizes, positions, taken, count } = this;
    const propertiesSize = prefixSize - MESSAGE_HEAD_SIZE - this.envelopeSize;
    const { view } = to;
    writeMessageHead(
      prefix.view,
      0,
      RECORD_MESSAGE,
      routeSet,
      0,
      this.envelopeSize,
      propertiesSize,
      ageMs,
    );
    let p = at;
    let next = taken;
    let bytes = 0;
    while (next < count) {
      const bodySize = bodySizes[next]!;
      const size = prefixSize + bodySize;
      if (p + size > limit && next > taken) break;
      copyBytes(to, p, prefix, 0, prefixSize);
      view.setUint32(p + 4, bodySize);
      const alike = this.countAlike(next, Math.trunc((limit - p) / size));
      if (alike > 1) repeatBytes(to, p, size, alike);
      for (const end = next + alike; next < end; next++) {
        copyBytes(to, p + prefixSize, area, bodiesAt[next]!, bodySize);
        positions[next - taken] = start + p;
        p += size;
      }
      bytes += alike * bodySize;
    }
    this.taken = next;
    this.pieceCount = next - taken;
    this.pieceBytes = bytes;
    return p;
  }

  /** HOT per publish. How many bodies from `first` on have the same size, of at most `most`; 1 where it does not pay. */
  private countAlike(first: number, most: number): number {
    const { bodySizes } = this;
    const bodySize = bodySizes[first]!;
    if (bodySize > ALIKE_BODY_MAX) return 1;
    const end = Math.min(this.count, first + most);
    let next = first + 1;
    while (next < end && bodySizes[next] === bodySize) next++;
    const alike = next - first;
    return alike < ALIKE_MIN ? 1 : alike;
  }
}
