/**
 * @hot What stands before the bodies of deliveries to one consumer, as long as envelope and properties are the same:
 *
 *     [method frame: .. tag u64, redelivered, envelope CE][header frame: .. body size, properties CE][03 channel size]
 *
 * Bench: scenario throughput.
 */
import { FRAME_END, FRAME_HEADER_SIZE } from '../../generated/index.ts';
import { areDoubles, ByteArea, equalBytes, equalDoubles } from '../base/byte-area.ts';
import { FixedBytes } from '../base/fixed-bytes.ts';
import { MESSAGE_HEAD_SIZE, messageSizesAt, propertiesSizeAt } from '../storage/record-format.ts';
import { writeTag } from './delivery-writer.ts';

/** The bytes of one consumer's deliveries that repeat themselves. */
export class DeliveryHead {
  /** Up to the first octet of the body. */
  readonly size: number;
  /** Size of envelope and properties, in octets. */
  readonly repeatedSize: number;
  /** Where in it the delivery tag stands, and the size of the body for the first time. */
  private readonly tagAt: number;
  private readonly bodySizeAt: number;
  private readonly bytes: FixedBytes;
  /** Sizes of envelope and properties as in a record, and both as in one. */
  private readonly sizes: number;
  private readonly repeated: ByteArea;
  private readonly areDoubles: boolean;

  /**
   * @param bytes what was written before the body of the record at `at`, whose envelope and properties have
   * `repeatedSize` octets, to a consumer with a prefix of `prefixSize` octets; copied
   */
  constructor(bytes: Buffer, prefixSize: number, area: ByteArea, at: number, repeatedSize: number) {
    const { view } = area;
    this.size = bytes.length;
    this.repeatedSize = repeatedSize;
    this.tagAt = prefixSize;
    this.bodySizeAt = bytes.length - FRAME_HEADER_SIZE - 1 - propertiesSizeAt(view, at) - 4;
    this.bytes = new FixedBytes(Buffer.from(bytes));
    this.sizes = messageSizesAt(view, at);
    const from = at + MESSAGE_HEAD_SIZE;
    this.repeated = new ByteArea(Buffer.from(area.buf.subarray(from, from + repeatedSize)));
    this.areDoubles = areDoubles(this.repeated, 0, repeatedSize);
  }

  /** HOT per delivery. Whether envelope and properties of the record at `at` are its own. */
  isOf(area: ByteArea, at: number): boolean {
    if (messageSizesAt(area.view, at) !== this.sizes) return false;
    const { repeated, repeatedSize } = this;
    const repeatedAt = at + MESSAGE_HEAD_SIZE;
    return this.areDoubles
      ? equalDoubles(repeated, 0, area, repeatedAt, repeatedSize)
      : equalBytes(repeated, 0, area, repeatedAt, repeatedSize);
  }

  /** HOT per delivery. Writes a delivery at `to`, whole but for the octets of its body. */
  write(out: ByteArea, to: number, bodySize: number, tag: number, redelivered: boolean): void {
    const { view } = out;
    const bodyTo = to + this.size;
    this.bytes.copyTo(out, to);
    writeTag(view, to + this.tagAt, tag, redelivered);
    view.setUint32(to + this.bodySizeAt, bodySize);
    view.setUint32(bodyTo - 4, bodySize);
    view.setUint8(bodyTo + bodySize, FRAME_END);
  }

  /** HOT per delivery. Writes the lower half of the tag over that of a delivery at `to`. */
  retag(view: DataView, to: number, tag: number): void {
    view.setUint32(to + this.tagAt + 4, tag);
  }
}
