/**
 * @hot Writes a run of deliveries to one consumer. Where a message has the envelope and the properties of the last one,
 * all that stands before its body is the same but for its tag, two sizes and a flag: it is copied as one
 * ({@link DeliveryHead}).
 *
 * Where the bodies have the same size as well, dozens of such deliveries lie ready, side by side: they are copied as one, and
 * tags and bodies written over. That saves a third of what a small delivery costs.
 *
 * Bench: scenario throughput.
 */
import { FRAME_OVERHEAD } from '../../generated/index.ts';
import {
  type ByteArea,
  copyBytes,
  equalBytes,
  newByteArea,
  repeatBytes,
} from '../base/byte-area.ts';
import type { FixedBytes } from '../base/fixed-bytes.ts';
import type { DeliveryRun } from '../broker/delivery-run.ts';
import { REPEATED_SIZE_MAX } from '../storage/message-run.ts';
import {
  envelopeSizeAt,
  MESSAGE_HEAD_SIZE,
  messageSizesAt,
  propertiesSizeAt,
} from '../storage/record-format.ts';
import { DeliveryHead } from './delivery-head.ts';
import { sizeOfDelivery, writeDelivery } from './delivery-writer.ts';
import type { Output } from './output.ts';

/** Deliveries that are laid out together, at most, ... */
const ALIKE_MAX = 64;
/** ... at least to be copied from there, ... */
const ALIKE_MIN = 4;
/** ... and at least to be laid out. */
const LAYOUT_FROM = 16;
/** Larger deliveries are copied one by one: their bodies would cost more to copy twice than what stands before them. */
const ALIKE_SIZE_MAX = 256;
/** Tags up to this have the same upper half. */
const SHORT_TAG_MAX = 0xffff_ffff;

/** Writes runs of any channel; one for all of a server. */
export class RunWriter {
  /** By the consumer's prefix: what its last deliveries began with. A consumer that goes takes its own along. */
  private heads: WeakMap<FixedBytes, DeliveryHead>;
  /** Made when first needed. */
  private layout: ByteArea | null;
  /** Whose deliveries are laid out, and with room for bodies of this size; null: nobody's. */
  private laidOut: DeliveryHead | null;
  private laidOutBodySize: number;

  constructor() {
    this.heads = new WeakMap();
    this.layout = null;
    this.laidOut = null;
    this.laidOutBodySize = 0;
  }

  /**
   * HOT per delivery. Writes the first `count` messages of a run, the first of them with the tag `firstTag`, as long as
   * the peer takes them, or all of a part: `run.delivered` counts.
   *
   * @param prefix the consumer's own, of a `channel` whose frames are of `frameMax` octets at most
   */
  write(
    output: Output,
    run: DeliveryRun,
    count: number,
    prefix: FixedBytes,
    channel: number,
    firstTag: number,
    frameMax: number,
  ): void {
    const { area, ats, bodySizes } = run;
    const bodySizeMax = frameMax - FRAME_OVERHEAD;
    let head = this.heads.get(prefix) ?? null;
    /** Up to here it is known not to pay to write several as one. */
    let oneByOneUpTo = 0;
    for (let i = 0; i < count && (run.isPart || !output.isBlocked); i = run.delivered) {
      const at = ats[i]!;
      const bodySize = bodySizes[i]!;
      const tag = firstTag + i;
      const isWhole = bodySize > 0 && bodySize <= bodySizeMax;
      if (head !== null && isWhole && head.isOf(area, at)) {
        if (i >= oneByOneUpTo) {
          const alike = countAlike(head, run, i, count, tag);
          if (this.layOut(head, bodySize, alike)) {
            this.writeAlike(head, output, run, i, alike, tag);
            run.delivered = i + alike;
            continue;
          }
          oneByOneUpTo = i + alike;
        }
        writeRepeated(head, output, area, at, bodySize, tag, run.isRedelivered(i));
        run.delivered = i + 1;
        continue;
      }
      const size = sizeOfDelivery(prefix, area, at, frameMax);
      const out = output.reserve(size);
      const to = output.offset;
      const isOld = run.isRedelivered(i);
      output.advance(writeDelivery(out, to, prefix, channel, tag, isOld, area, at, frameMax));
      if (isWhole && i > 0 && isLike(area, ats[i - 1]!, at)) {
        head = this.keep(prefix, area, at, out.buf.subarray(to, to + size - 1 - bodySize)) ?? head;
      }
      run.delivered = i + 1;
    }
  }

  /** Lets go of what it keeps; the consumers there are begin anew. */
  rest(): void {
    this.heads = new WeakMap();
    this.layout = null;
    this.laidOut = null;
  }

  /** HOT per run. Lays deliveries out side by side, complete but for their tags and bodies; false where that does not pay. */
  private layOut(head: DeliveryHead, bodySize: number, alike: number): boolean {
    const isLaidOut = head === this.laidOut && bodySize === this.laidOutBodySize;
    if (isLaidOut || alike < LAYOUT_FROM) return isLaidOut && alike >= ALIKE_MIN;
    this.layout ??= newByteArea(ALIKE_MAX * ALIKE_SIZE_MAX);
    head.write(this.layout, 0, bodySize, 0, false);
    repeatBytes(this.layout, 0, head.size + bodySize + 1, ALIKE_MAX);
    this.laidOut = head;
    this.laidOutBodySize = bodySize;
    return true;
  }

  /** HOT per delivery. Writes `count` deliveries of a run, which are laid out. */
  private writeAlike(
    head: DeliveryHead,
    output: Output,
    run: DeliveryRun,
    first: number,
    count: number,
    firstTag: number,
  ): void {
    const { area, ats } = run;
    const bodySize = this.laidOutBodySize;
    const headSize = head.size;
    const size = headSize + bodySize + 1;
    const out = output.reserve(count * size);
    const { view } = out;
    let to = output.offset;
    this.layout!.copyTo(out, to, 0, count * size);
    const bodyFrom = MESSAGE_HEAD_SIZE + head.repeatedSize;
    for (let i = 0; i < count; i++) {
      head.retag(view, to, firstTag + i);
      copyBytes(out, to + headSize, area, ats[first + i]! + bodyFrom, bodySize);
      to += size;
    }
    output.advance(to);
  }

  /** Keeps what stands before the body of the record at `at`, as it was written; null where that is too much. */
  private keep(
    prefix: FixedBytes,
    area: ByteArea,
    at: number,
    written: Buffer,
  ): DeliveryHead | null {
    const { view } = area;
    const repeatedSize = envelopeSizeAt(view, at) + propertiesSizeAt(view, at);
    if (repeatedSize > REPEATED_SIZE_MAX) return null;
    const head = new DeliveryHead(written, prefix.size, area, at, repeatedSize);
    this.heads.set(prefix, head);
    return head;
  }
}

/**
 * HOT per delivery. How many deliveries from `first` on, which `head` is of and which has the tag `tag`, are so with bodies
 * of the same size, and could be written as one: 1 where only the first could.
 */
function countAlike(
  head: DeliveryHead,
  run: DeliveryRun,
  first: number,
  count: number,
  tag: number,
): number {
  const { area, ats, bodySizes } = run;
  const bodySize = bodySizes[first]!;
  const size = head.size + bodySize + 1;
  const max = Math.min(count - first, ALIKE_MAX);
  if (size > ALIKE_SIZE_MAX || run.isRedelivered(first) || tag + max > SHORT_TAG_MAX) return 1;
  let alike = 1;
  while (
    alike < max &&
    bodySizes[first + alike] === bodySize &&
    head.isOf(area, ats[first + alike]!)
  ) {
    alike++;
  }
  return alike;
}

/** HOT per delivery. Writes one delivery that `head` is of. */
function writeRepeated(
  head: DeliveryHead,
  output: Output,
  area: ByteArea,
  at: number,
  bodySize: number,
  tag: number,
  redelivered: boolean,
): void {
  const size = head.size + bodySize + 1;
  const out = output.reserve(size);
  const to = output.offset;
  head.write(out, to, bodySize, tag, redelivered);
  const bodyAt = at + MESSAGE_HEAD_SIZE + head.repeatedSize;
  copyBytes(out, to + head.size, area, bodyAt, bodySize);
  output.advance(to + size);
}

/** Whether two records have the same envelope and properties. */
function isLike(area: ByteArea, one: number, other: number): boolean {
  const { view } = area;
  const size = envelopeSizeAt(view, one) + propertiesSizeAt(view, one);
  return (
    messageSizesAt(view, one) === messageSizesAt(view, other) &&
    equalBytes(area, one + MESSAGE_HEAD_SIZE, area, other + MESSAGE_HEAD_SIZE, size)
  );
}
