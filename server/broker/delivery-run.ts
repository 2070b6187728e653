/**
 * @hot Messages of a queue that lie one behind the other, in its index and in one block: what is told of a delivery is
 * told once for all of them. Bench: scenario throughput.
 */
import { ByteArea } from '../base/byte-area.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { QueueIndex } from '../storage/queue-index.ts';
import {
  bodySizeAt,
  isLargeAt,
  MESSAGE_HEAD_SIZE,
  messageSizeAt,
} from '../storage/record-format.ts';
import type { Consumer } from './consumer.ts';

/** Messages of a run, at most: between two of them it is looked whether the turn has lasted long enough. */
const RUN_LENGTH_MAX = 256;
const NO_BYTES = new ByteArea(Buffer.alloc(0));
const NO_POSITIONS = new Float64Array(0);

/** One run; one object for all of a server, each used up before the next begins. */
export class DeliveryRun {
  /** Messages of it. */
  length: number;
  /** How many the sinks have sent, from the first on: they count. */
  delivered: number;
  /** Number of the first message. */
  sequence: number;
  /** Up to this number they have been delivered before. */
  redeliveredUpTo: number;
  /** Holds their records: borrowed. */
  area: ByteArea;
  /** Where each record begins. */
  readonly ats: Int32Array;
  readonly bodySizes: Int32Array;
  /** Their positions, from `positions[from]` on. */
  positions: Float64Array;
  from: number;
  private readonly sizes: Int32Array;

  constructor() {
    this.length = 0;
    this.delivered = 0;
    this.sequence = 0;
    this.redeliveredUpTo = 0;
    this.area = NO_BYTES;
    this.ats = new Int32Array(RUN_LENGTH_MAX);
    this.bodySizes = new Int32Array(RUN_LENGTH_MAX);
    this.positions = NO_POSITIONS;
    this.from = 0;
    this.sizes = new Int32Array(RUN_LENGTH_MAX);
  }

  /**
   * HOT per delivery. Finds the next messages of a queue whose records lie in `block`, the first of them whole: at most
   * `lengthMax`, and no more behind `bytesMax` of records. A large one is none of them.
   */
  find(index: QueueIndex, block: MemoryBlock, lengthMax: number, bytesMax: number): void {
    const { area, start, used } = block;
    const { view } = area;
    const { runPositions: positions, runFrom: from } = index;
    const { ats, sizes, bodySizes } = this;
    const max = Math.min(lengthMax, RUN_LENGTH_MAX);
    let last = start;
    let bytes = 0;
    let count = 0;
    while (count < max && bytes < bytesMax) {
      const position = positions[from + count]!;
      const at = position - start;
      if (position < last || at + MESSAGE_HEAD_SIZE > used) break;
      const size = messageSizeAt(view, at);
      if (at + size > used || isLargeAt(view, at)) break;
      ats[count] = at;
      sizes[count] = size;
      bodySizes[count] = bodySizeAt(view, at);
      bytes += size;
      last = position;
      count++;
    }
    this.length = count;
    this.delivered = 0;
    this.sequence = index.peekSequence();
    this.redeliveredUpTo = index.redeliveredUpTo;
    this.area = area;
    this.positions = positions;
    this.from = from;
  }

  /** Lets go of the memory that the last run was in. */
  rest(): void {
    this.area = NO_BYTES;
    this.positions = NO_POSITIONS;
  }

  /** HOT per delivery. Sends the next message by itself. */
  deliverNext(consumer: Consumer): void {
    const { area, ats, delivered, sequence, positions, from } = this;
    consumer.sink.deliver(
      consumer,
      area,
      ats[delivered]!,
      sequence + delivered,
      positions[from + delivered]!,
      this.isRedelivered(delivered),
    );
    this.delivered++;
  }

  /** Bytes of the records that were sent. */
  get bytes(): number {
    const { sizes, delivered } = this;
    let bytes = 0;
    for (let i = 0; i < delivered; i++) bytes += sizes[i]!;
    return bytes;
  }

  /** The same of their bodies. */
  get bodyBytes(): number {
    const { bodySizes, delivered } = this;
    let bytes = 0;
    for (let i = 0; i < delivered; i++) bytes += bodySizes[i]!;
    return bytes;
  }

  /** Whether message `i` has been delivered before. */
  isRedelivered(i: number): boolean {
    return this.sequence + i <= this.redeliveredUpTo;
  }
}
