/**
 * @hot Messages of a queue that lie one behind the other, in its index and in one block: what is told of a delivery is
 * told once for all of them. Bench: scenario throughput.
 */
import { ByteArea } from '../base/byte-area.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { QueueIndex } from '../storage/queue-index.ts';
import {
  bodySizeAt,
  haveSameSizes,
  isLargeAt,
  MESSAGE_HEAD_SIZE,
  messageSizeAt,
} from '../storage/record-format.ts';
import type { Consumer } from './consumer.ts';

/** Messages of a run, at most: between two of them it is looked whether the turn has lasted long enough. */
const RUN_LENGTH_MAX = 256;
const NO_BYTES = new ByteArea(Buffer.alloc(0));
const NO_POSITIONS = new Float64Array(0);

/** One run, or what one of several consumers gets of it; one object for all of a server, used up before the next begins. */
export class DeliveryRun {
  /** Messages of it. */
  length: number;
  /** How many the sinks have sent, from the first on: they count. */
  delivered: number;
  /** Number of the first message, and how far apart the numbers are: 1, or more in a part. */
  sequence: number;
  step: number;
  /** Up to this number they have been delivered before. */
  redeliveredUpTo: number;
  /** Holds their records: borrowed. */
  area: ByteArea;
  /** Where each record begins. */
  readonly ats: Int32Array;
  readonly bodySizes: Int32Array;
  /** Their positions: that of the first is `positions[from]`, and the others are {@link step} entries apart. */
  positions: Float64Array;
  from: number;
  /** Bytes of all records. */
  foundBytes: number;
  /** Others have the messages in between: whoever sends it must send all of it. */
  isPart: boolean;
  private readonly sizes: Int32Array;
  /** Consumers who share it, in turn. */
  readonly takers: Consumer[];
  /** Null until a run is shared out. */
  private part: DeliveryRun | null;

  constructor() {
    this.length = 0;
    this.delivered = 0;
    this.sequence = 0;
    this.step = 1;
    this.redeliveredUpTo = 0;
    this.area = NO_BYTES;
    this.ats = new Int32Array(RUN_LENGTH_MAX);
    this.bodySizes = new Int32Array(RUN_LENGTH_MAX);
    this.positions = NO_POSITIONS;
    this.from = 0;
    this.foundBytes = 0;
    this.isPart = false;
    this.sizes = new Int32Array(RUN_LENGTH_MAX);
    this.takers = [];
    this.part = null;
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
      let position = positions[from + count]!;
      let at = position - start;
      if (position < last || at + MESSAGE_HEAD_SIZE > used) break;
      const size = messageSizeAt(view, at);
      if (at + size > used || isLargeAt(view, at)) break;
      const bodySize = bodySizeAt(view, at);
      // Most that lie behind it are of the same sizes: nothing else need be looked up of them.
      do {
        ats[count] = at;
        sizes[count] = size;
        bodySizes[count] = bodySize;
        last = position;
        bytes += size;
        count++;
        at += size;
        position += size;
      } while (
        count < max &&
        bytes < bytesMax &&
        positions[from + count] === position &&
        at + size <= used &&
        haveSameSizes(view, at - size, at)
      );
    }
    this.length = count;
    this.delivered = 0;
    this.sequence = index.peekSequence();
    this.redeliveredUpTo = index.redeliveredUpTo;
    this.area = area;
    this.positions = positions;
    this.from = from;
    this.foundBytes = bytes;
  }

  /**
   * HOT per delivery. What the taker `which` of `count` gets when `rounds` of them are served, a message for each in
   * turn. Used up before the next part is asked for.
   */
  partOf(which: number, count: number, rounds: number): DeliveryRun {
    this.part ??= new DeliveryRun();
    const { part, ats, sizes, bodySizes } = this;
    for (let i = 0, from = which; i < rounds; i++, from += count) {
      part.ats[i] = ats[from]!;
      part.sizes[i] = sizes[from]!;
      part.bodySizes[i] = bodySizes[from]!;
    }
    part.isPart = true;
    part.length = rounds;
    part.delivered = 0;
    part.sequence = this.sequence + which;
    part.step = count;
    part.redeliveredUpTo = this.redeliveredUpTo;
    part.area = this.area;
    part.positions = this.positions;
    part.from = this.from + which;
    return part;
  }

  /** Lets go of the memory that the last run was in. */
  rest(): void {
    this.area = NO_BYTES;
    this.positions = NO_POSITIONS;
    this.takers.length = 0;
    this.part?.rest();
  }

  /** HOT per delivery. Sends the next message by itself. */
  deliverNext(consumer: Consumer): void {
    const { area, ats, delivered } = this;
    consumer.sink.deliver(
      consumer,
      area,
      ats[delivered]!,
      this.sequenceOf(delivered),
      this.positionOf(delivered),
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

  /** Number of message `i`. */
  sequenceOf(i: number): number {
    return this.sequence + i * this.step;
  }

  positionOf(i: number): number {
    return this.positions[this.from + i * this.step]!;
  }

  /** Whether message `i` has been delivered before. */
  isRedelivered(i: number): boolean {
    return this.sequenceOf(i) <= this.redeliveredUpTo;
  }
}
