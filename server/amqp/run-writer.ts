/**
 * @hot Writes a run of deliveries to one consumer. Where a message has the envelope and the properties of the last one,
 * all that stands before its body is the same but for its tag, two sizes and a flag: it is copied as one.
 *
 *     [method frame: .. tag u64, redelivered, envelope CE][header frame: .. body size, properties CE][03 channel size]
 *     \__________________________________ head _______________________________________________________/ body CE
 *
 * Where the bodies have the same size as well, dozens of such deliveries lie ready, side by side: they are copied as one, and
 * tags and bodies written over. That saves a third of what a small delivery costs.
 *
 * Bench: scenario throughput.
 */
import { FRAME_END, FRAME_HEADER_SIZE, FRAME_OVERHEAD } from '../../generated/index.ts';
import {
  type ByteArea,
  copyBytes,
  equalBytes,
  newByteArea,
  repeatBytes,
} from '../base/byte-area.ts';
import { FixedBytes } from '../base/fixed-bytes.ts';
import { KeptBytes } from '../base/kept-bytes.ts';
import type { DeliveryRun } from '../broker/delivery-run.ts';
import { REPEATED_SIZE_MAX } from '../storage/message-run.ts';
import {
  envelopeSizeAt,
  MESSAGE_HEAD_SIZE,
  messageSizesAt,
  propertiesSizeAt,
} from '../storage/record-format.ts';
import { sizeOfDelivery, writeDelivery, writeTag } from './delivery-writer.ts';
import type { Output } from './output.ts';

const NO_HEAD = new FixedBytes(Buffer.alloc(0));
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
  /** Whose deliveries begin with {@link head}; null: nobody's do. */
  private prefix: FixedBytes | null;
  private head: FixedBytes;
  /** Where in it the tag stands, and the size of the body for the first time. */
  private tagAt: number;
  private bodySizeAt: number;
  /** Sizes of envelope and properties as in a record, and both as in one. */
  private sizes: number;
  private readonly repeated: KeptBytes;
  private repeatedSize: number;
  /** Made when first needed. */
  private layout: ByteArea | null;
  /** Size of the bodies that there is room for in {@link layout}; -1: it is none of {@link head}'s. */
  private layoutBodySize: number;

  constructor() {
    this.prefix = null;
    this.head = NO_HEAD;
    this.tagAt = 0;
    this.bodySizeAt = 0;
    this.sizes = 0;
    this.repeated = new KeptBytes(REPEATED_SIZE_MAX);
    this.repeatedSize = 0;
    this.layout = null;
    this.layoutBodySize = -1;
  }

  /**
   * HOT per delivery. Writes the first `count` messages of a run, the first of them with the tag `firstTag`, as long as
   * the peer takes them: `run.delivered` counts.
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
    let isKept = this.prefix === prefix;
    for (let i = 0; i < count && !output.isBlocked; i = run.delivered) {
      const at = ats[i]!;
      const bodySize = bodySizes[i]!;
      const tag = firstTag + i;
      const isRedelivered = run.isRedelivered(i);
      const isWhole = bodySize > 0 && bodySize <= bodySizeMax;
      if (isKept && isWhole && this.repeats(area, at)) {
        const alike = this.countAlike(run, i, count, tag);
        if (alike > 1) this.writeAlike(output, run, i, alike, tag);
        else this.writeRepeated(output, area, at, bodySize, tag, isRedelivered);
        run.delivered = i + alike;
        continue;
      }
      const size = sizeOfDelivery(prefix, area, at, frameMax);
      const out = output.reserve(size);
      const to = output.offset;
      output.advance(
        writeDelivery(out, to, prefix, channel, tag, isRedelivered, area, at, frameMax),
      );
      if (isWhole && i > 0 && this.isLike(area, ats[i - 1]!, at)) {
        this.keep(prefix, area, at, out.buf.subarray(to, to + size - 1 - bodySize));
        isKept = this.prefix === prefix;
      }
      run.delivered = i + 1;
    }
  }

  /**
   * HOT per delivery. How many deliveries from `first` on, which repeats {@link head} and has the tag `tag`, do so with
   * bodies of the same size, which are laid out; 1 where that does not pay.
   */
  private countAlike(run: DeliveryRun, first: number, count: number, tag: number): number {
    const { area, ats, bodySizes } = run;
    const bodySize = bodySizes[first]!;
    const size = this.head.size + bodySize + 1;
    const max = Math.min(count - first, ALIKE_MAX);
    if (size > ALIKE_SIZE_MAX || run.isRedelivered(first) || tag + max > SHORT_TAG_MAX) return 1;
    let alike = 1;
    while (
      alike < max &&
      bodySizes[first + alike] === bodySize &&
      this.repeats(area, ats[first + alike]!)
    ) {
      alike++;
    }
    const isLaidOut = bodySize === this.layoutBodySize;
    if (alike < (isLaidOut ? ALIKE_MIN : LAYOUT_FROM)) return 1;
    if (!isLaidOut) this.layOut(bodySize);
    return alike;
  }

  /** Lays deliveries with {@link head} out side by side, complete but for their tags and bodies. */
  private layOut(bodySize: number): void {
    const { head } = this;
    const size = head.size + bodySize + 1;
    this.layout ??= newByteArea(ALIKE_MAX * ALIKE_SIZE_MAX);
    const { layout } = this;
    const { view } = layout;
    head.copyTo(layout, 0);
    writeTag(view, this.tagAt, 0, false);
    view.setUint32(this.bodySizeAt, bodySize);
    view.setUint32(head.size - 4, bodySize);
    view.setUint8(size - 1, FRAME_END);
    repeatBytes(layout, 0, size, ALIKE_MAX);
    this.layoutBodySize = bodySize;
  }

  /** HOT per delivery. Writes `count` deliveries of a run that {@link countAlike} has counted. */
  private writeAlike(
    output: Output,
    run: DeliveryRun,
    first: number,
    count: number,
    firstTag: number,
  ): void {
    const { area, ats } = run;
    const bodySize = this.layoutBodySize;
    const headSize = this.head.size;
    const size = headSize + bodySize + 1;
    const out = output.reserve(count * size);
    const { view } = out;
    let to = output.offset;
    this.layout!.copyTo(out, to, 0, count * size);
    const bodyFrom = MESSAGE_HEAD_SIZE + this.repeatedSize;
    const shortTagAt = this.tagAt + 4;
    for (let i = 0; i < count; i++) {
      view.setUint32(to + shortTagAt, firstTag + i);
      copyBytes(out, to + headSize, area, ats[first + i]! + bodyFrom, bodySize);
      to += size;
    }
    output.advance(to);
  }

  /** HOT per delivery. Whether envelope and properties of the record at `at` are those of {@link head}. */
  private repeats(area: ByteArea, at: number): boolean {
    return (
      messageSizesAt(area.view, at) === this.sizes &&
      this.repeated.equals(area, at + MESSAGE_HEAD_SIZE, this.repeatedSize)
    );
  }

  /** HOT per delivery. */
  private writeRepeated(
    output: Output,
    area: ByteArea,
    at: number,
    bodySize: number,
    tag: number,
    redelivered: boolean,
  ): void {
    const { head, tagAt } = this;
    const headSize = head.size;
    const out = output.reserve(headSize + bodySize + 1);
    const to = output.offset;
    const { view } = out;
    head.copyTo(out, to);
    writeTag(view, to + tagAt, tag, redelivered);
    view.setUint32(to + this.bodySizeAt, bodySize);
    const bodyTo = to + headSize;
    view.setUint32(bodyTo - 4, bodySize);
    copyBytes(out, bodyTo, area, at + MESSAGE_HEAD_SIZE + this.repeatedSize, bodySize);
    view.setUint8(bodyTo + bodySize, FRAME_END);
    output.advance(bodyTo + bodySize + 1);
  }

  private isLike(area: ByteArea, one: number, other: number): boolean {
    const { view } = area;
    const size = envelopeSizeAt(view, one) + propertiesSizeAt(view, one);
    return (
      messageSizesAt(view, one) === messageSizesAt(view, other) &&
      equalBytes(area, one + MESSAGE_HEAD_SIZE, area, other + MESSAGE_HEAD_SIZE, size)
    );
  }

  /** Keeps what stands before the body of the record at `at`: `head`, as it was written. */
  private keep(prefix: FixedBytes, area: ByteArea, at: number, head: Buffer): void {
    this.prefix = null;
    const { view } = area;
    const propertiesSize = propertiesSizeAt(view, at);
    const size = envelopeSizeAt(view, at) + propertiesSize;
    if (size > REPEATED_SIZE_MAX) return;
    this.head = new FixedBytes(Buffer.from(head));
    this.tagAt = prefix.size;
    this.bodySizeAt = head.length - FRAME_HEADER_SIZE - 1 - propertiesSize - 4;
    this.sizes = messageSizesAt(view, at);
    this.repeatedSize = size;
    this.layoutBodySize = -1;
    this.repeated.keep(area, at + MESSAGE_HEAD_SIZE, size);
    this.prefix = prefix;
  }
}
