/**
 * @hot The unacked deliveries of a channel, as parallel arrays ascending by delivery tag.
 *
 *     tags      [ 17 | 18 | -- | 20 | 21 ]      a settled one leaves a hole (no consumer)
 *                 ^ head              ^ tail
 *
 * While there are few holes an entry is found by its distance from the first tag; once holes were squeezed out
 * by binary search. So memory follows the number of unacked deliveries and not the span of their tags.
 * Bench: micro/unacked-list.
 */
import type { Consumer } from '../broker/consumer.ts';
import type { DeliveryRun } from '../broker/delivery-run.ts';
import { segmentEnd } from '../storage/position.ts';

const CAPACITY_FIRST = 16;
/** Four doubles and a reference. */
const ENTRY_BYTES = 40;
/** An empty list larger than this gives its memory back, and at rest one that is mostly empty. */
const CAPACITY_KEPT = 4096;

/** Deliveries that wait for their ack. */
export class UnackedList {
  /** Entries that are not settled. */
  count: number;
  private head: number;
  private tail: number;
  private tags: Float64Array;
  private sequences: Float64Array;
  private positions: Float64Array;
  private sizes: Float64Array;
  private consumers: (Consumer | null)[];

  constructor() {
    this.count = 0;
    this.head = 0;
    this.tail = 0;
    this.tags = new Float64Array(0);
    this.sequences = new Float64Array(0);
    this.positions = new Float64Array(0);
    this.sizes = new Float64Array(0);
    this.consumers = [];
  }

  /** Memory of the arrays, in bytes. */
  get memoryBytes(): number {
    return ENTRY_BYTES * this.tags.length;
  }

  /** HOT per delivery. `tag` is higher than all before. */
  push(tag: number, consumer: Consumer, sequence: number, position: number, size: number): void {
    if (this.tail === this.tags.length) this.makeRoom();
    const at = this.tail++;
    this.tags[at] = tag;
    this.sequences[at] = sequence;
    this.positions[at] = position;
    this.sizes[at] = size;
    this.consumers[at] = consumer;
    this.count++;
  }

  /** HOT per delivery. Adds those of a run that were delivered, with tags from `tag` on. */
  pushRun(tag: number, consumer: Consumer, run: DeliveryRun): void {
    const { delivered, bodySizes } = run;
    for (let i = 0; i < delivered; i++) {
      this.push(tag + i, consumer, run.sequenceOf(i), run.positionOf(i), bodySizes[i]!);
    }
  }

  /** HOT per ack. The entry of a tag, or -1 when it is not unacked here. */
  find(tag: number): number {
    const { tags, head, tail } = this;
    if (head === tail) return -1;
    const guess = head + tag - tags[head]!;
    if (guess < tail && tags[guess] === tag) return this.consumers[guess] === null ? -1 : guess;
    let low = head;
    let high = tail - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = tags[middle]!;
      if (found === tag) return this.consumers[middle] === null ? -1 : middle;
      if (found < tag) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The oldest entry, or -1. */
  first(): number {
    return this.count === 0 ? -1 : this.skipHoles(this.head);
  }

  /** The next entry after `entry`, or -1. */
  next(entry: number): number {
    return this.skipHoles(entry + 1);
  }

  tagAt(entry: number): number {
    return this.tags[entry]!;
  }

  consumerAt(entry: number): Consumer {
    return this.consumers[entry]!;
  }

  sequenceAt(entry: number): number {
    return this.sequences[entry]!;
  }

  positionAt(entry: number): number {
    return this.positions[entry]!;
  }

  sizeAt(entry: number): number {
    return this.sizes[entry]!;
  }

  /** Takes an entry out; other entries stay where they are until the next push. */
  remove(entry: number): void {
    this.removeRun(entry, 1);
  }

  /**
   * HOT per ack of many. How many entries from `entry` on, none with a tag above `lastTag`, are a run: each of them
   * {@link follows} the one before.
   */
  runLength(entry: number, lastTag: number): number {
    const { tail, tags } = this;
    let at = entry + 1;
    while (at < tail && tags[at]! <= lastTag && this.follows(at)) at++;
    return at - entry;
  }

  /**
   * HOT per ack. Whether `entry` and the one before it are deliveries to one consumer, with sequence numbers that follow
   * each other and positions that, in one segment, ascend.
   */
  follows(entry: number): boolean {
    const { sequences, positions, consumers } = this;
    return (
      consumers[entry] === consumers[entry - 1] &&
      sequences[entry] === sequences[entry - 1]! + 1 &&
      positions[entry]! >= positions[entry - 1]! &&
      positions[entry]! < segmentEnd(positions[entry - 1]!)
    );
  }

  /** Sum of the body sizes of `count` entries from `entry` on. */
  sizeOfRun(entry: number, count: number): number {
    const { sizes } = this;
    let bytes = 0;
    for (let i = entry; i < entry + count; i++) bytes += sizes[i]!;
    return bytes;
  }

  /** The positions of all entries, by entry; another array takes its place when the list grows. */
  get positionsByEntry(): Float64Array {
    return this.positions;
  }

  /** HOT per run of acks. Takes `count` entries out, none of which has been taken out before. */
  removeRun(entry: number, count: number): void {
    const { consumers } = this;
    for (let i = entry; i < entry + count; i++) consumers[i] = null;
    this.count -= count;
    if (this.count === 0) this.clear();
    else if (entry === this.head) this.head = this.skipHoles(entry + count);
  }

  /** At most so many entries have tags up to `lastTag`: they are so many with the holes between them. */
  spanUpTo(lastTag: number): number {
    return this.endOf(lastTag) - this.head;
  }

  /** Takes out all entries with tags up to `lastTag`; they are in the list that is returned. */
  takeUpTo(lastTag: number): UnackedList {
    const taken = new UnackedList();
    const { head, tail } = this;
    const end = this.endOf(lastTag);
    if (end === tail) {
      taken.takeAll(this);
      this.takeAll(new UnackedList());
      return taken;
    }
    taken.tags = this.tags.slice(head, end);
    taken.sequences = this.sequences.slice(head, end);
    taken.positions = this.positions.slice(head, end);
    taken.sizes = this.sizes.slice(head, end);
    taken.consumers = this.consumers.slice(head, end);
    taken.tail = end - head;
    taken.forEachConsumer((_consumer, count) => {
      taken.count += count;
    });
    this.consumers.fill(null, head, end);
    this.count -= taken.count;
    if (this.count === 0) this.clear();
    else this.head = this.skipHoles(end);
    return taken;
  }

  /** Shows the consumers of all entries in their order: each as often as others come between. */
  forEachConsumer(visit: (consumer: Consumer, count: number) => void): void {
    const { consumers, tail } = this;
    let last: Consumer | null = null;
    let count = 0;
    for (let at = this.head; at < tail; at++) {
      const consumer = consumers[at] ?? null;
      if (consumer === null) continue;
      if (consumer !== last) {
        if (last !== null) visit(last, count);
        last = consumer;
        count = 0;
      }
      count++;
    }
    if (last !== null) visit(last, count);
  }

  /** Takes the entries of another list back in, by their tags. The other one is not changed. */
  restore(other: UnackedList): void {
    if (other.count === 0) return;
    const order: number[] = [];
    for (let entry = other.first(); entry >= 0; entry = other.next(entry)) order.push(entry);
    order.sort((a, b) => other.tagAt(a) - other.tagAt(b));
    const merged = new UnackedList();
    let mine = this.first();
    for (const entry of order) {
      const tag = other.tagAt(entry);
      for (; mine >= 0 && this.tagAt(mine) < tag; mine = this.next(mine)) merged.copy(this, mine);
      merged.copy(other, entry);
    }
    for (; mine >= 0; mine = this.next(mine)) merged.copy(this, mine);
    this.takeAll(merged);
  }

  /** Has what `other` had, which is not used any more. */
  private takeAll(other: UnackedList): void {
    this.count = other.count;
    this.head = other.head;
    this.tail = other.tail;
    this.tags = other.tags;
    this.sequences = other.sequences;
    this.positions = other.positions;
    this.sizes = other.sizes;
    this.consumers = other.consumers;
  }

  /** Index behind the last entry, or hole, with a tag up to `lastTag`. */
  private endOf(lastTag: number): number {
    const { tags } = this;
    let low = this.head;
    let high = this.tail;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tags[middle]! <= lastTag) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private copy(from: UnackedList, entry: number): void {
    this.push(
      from.tagAt(entry),
      from.consumerAt(entry),
      from.sequenceAt(entry),
      from.positionAt(entry),
      from.sizeAt(entry),
    );
  }

  /** Forgets everything. */
  clear(): void {
    this.count = 0;
    this.head = 0;
    this.tail = 0;
    if (this.tags.length <= CAPACITY_KEPT) return;
    this.consumers = [];
    this.resize(CAPACITY_FIRST);
  }

  /** Gives back what few entries do not need; returns how many bytes. Entries move. */
  shrink(): number {
    const { memoryBytes } = this;
    if (this.tags.length <= CAPACITY_KEPT || this.count > this.tags.length / 4) return 0;
    this.squeeze();
    this.consumers = this.consumers.slice(0, this.tail);
    this.resize(Math.max(CAPACITY_FIRST, 2 * this.count));
    return memoryBytes - this.memoryBytes;
  }

  private skipHoles(from: number): number {
    let at = from;
    while (at < this.tail && this.consumers[at] === null) at++;
    return at < this.tail ? at : -1;
  }

  /** Squeezes the holes out, or doubles the arrays when there are few. */
  private makeRoom(): void {
    const capacity = this.tags.length;
    if (capacity === 0) {
      this.resize(CAPACITY_FIRST);
      return;
    }
    this.squeeze();
    if (this.tail > capacity / 2) this.resize(2 * capacity);
  }

  private squeeze(): void {
    let to = 0;
    for (let from = this.head; from < this.tail; from++) {
      if (this.consumers[from] === null) continue;
      this.tags[to] = this.tags[from]!;
      this.sequences[to] = this.sequences[from]!;
      this.positions[to] = this.positions[from]!;
      this.sizes[to] = this.sizes[from]!;
      this.consumers[to] = this.consumers[from]!;
      to++;
    }
    this.head = 0;
    this.tail = to;
  }

  private resize(capacity: number): void {
    this.tags = resized(this.tags, capacity);
    this.sequences = resized(this.sequences, capacity);
    this.positions = resized(this.positions, capacity);
    this.sizes = resized(this.sizes, capacity);
  }
}

function resized(array: Float64Array, capacity: number): Float64Array {
  const copy = new Float64Array(capacity);
  copy.set(capacity < array.length ? array.subarray(0, capacity) : array);
  return copy;
}
