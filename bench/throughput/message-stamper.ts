/**
 * @hot Gives the messages of a block, right before they are written, what makes each another one: its stamp
 * (body-stamp.ts) and random octets.
 *
 * The block is of one producer then, and nothing of it may wait in the socket meanwhile.
 */
import { FRAME_OVERHEAD, writeU32, writeU64 } from '../../generated/index.ts';
import type { BodyFilling } from './body-filling.ts';
import {
  epochOffsetUs,
  FULL_STAMP_BYTES,
  LANE_OFFSET,
  NUMBER_OFFSET,
  TIME_STAMP_BYTES,
} from './body-stamp.ts';
import type { PublishBlock } from './publish-block.ts';

/** What is stamped. */
export interface StampOptions {
  readonly time: boolean;
  /** Lane and number; only with the time. */
  readonly number: boolean;
  /** The producer's lane of its first queue; one more for each further one. */
  readonly firstLane: number;
  readonly queueCount: number;
  readonly filling: BodyFilling;
  /** As negotiated; 0: no limit. */
  readonly frameMax: number;
}

/** Of one producer. */
export class MessageStamper {
  private readonly block: PublishBlock;
  private readonly options: StampOptions;
  private readonly stampBytes: number;
  private readonly offsetUs: number;
  private readonly framePayloadMax: number;

  constructor(block: PublishBlock, options: StampOptions) {
    this.block = block;
    this.options = options;
    this.stampBytes = options.number ? FULL_STAMP_BYTES : options.time ? TIME_STAMP_BYTES : 0;
    this.offsetUs = epochOffsetUs();
    this.framePayloadMax =
      options.frameMax === 0 ? Number.POSITIVE_INFINITY : options.frameMax - FRAME_OVERHEAD;
  }

  /**
   * Stamps `count` messages from that at `index` of the block on. HOT per message.
   *
   * @param publishedBefore messages that the producer has published so far
   * @param dueUs when the first of them is due, on the clock of `performance.now()`
   * @param intervalUs from one to the next; 0: all at once
   */
  stamp(
    index: number,
    count: number,
    publishedBefore: number,
    dueUs: number,
    intervalUs: number,
  ): void {
    const { bytes, bodyOffsets } = this.block;
    const { time, number, firstLane, queueCount, filling } = this.options;
    for (let i = 0; i < count; i++) {
      const at = bodyOffsets[index + i]!;
      const position = publishedBefore + i;
      const laneIndex = position % queueCount;
      const laneNumber = (position - laneIndex) / queueCount;
      if (time) writeU64(bytes, at, Math.round(this.offsetUs + dueUs + i * intervalUs));
      if (number) {
        writeU32(bytes, at + LANE_OFFSET, firstLane + laneIndex);
        writeU32(bytes, at + NUMBER_OFFSET, laneNumber >>> 0);
      }
      if (filling.isRandom) {
        this.fill(index + i, filling.offsetOf(firstLane + laneIndex, laneNumber >>> 0));
      }
    }
  }

  /** Fills the body behind its stamp, frame by frame. */
  private fill(index: number, fillingAt: number): void {
    const { bytes, bodyOffsets, bodySizesBytes } = this.block;
    const { filling } = this.options;
    let at = bodyOffsets[index]! + this.stampBytes;
    let left = bodySizesBytes[index]! - this.stampBytes;
    let inFrame = this.framePayloadMax - this.stampBytes;
    while (left > 0) {
      const piece = Math.min(left, inFrame);
      fillingAt += filling.bytes.copy(bytes, at, fillingAt, fillingAt + piece);
      at += piece + FRAME_OVERHEAD;
      left -= piece;
      inFrame = this.framePayloadMax;
    }
  }
}
