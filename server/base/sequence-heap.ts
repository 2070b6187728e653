/**
 * @hot A min-heap of (sequence number, position) pairs in two typed arrays: the messages that came back to
 * their queue and wait to leave it again in their original order.
 *
 * O(log n) for push and pop whatever the order of arrival; 16 bytes an entry; starts tiny and doubles.
 * Bench: micro/sequence-heap.
 */

const INITIAL_CAPACITY = 16;

/** Pairs ordered by sequence number, smallest first. */
export class SequenceHeap {
  size: number;
  private keys: Float64Array;
  private values: Float64Array;

  constructor() {
    this.size = 0;
    this.keys = new Float64Array(INITIAL_CAPACITY);
    this.values = new Float64Array(INITIAL_CAPACITY);
  }

  /** Smallest sequence number; only when `size > 0`. */
  topSequence(): number {
    return this.keys[0]!;
  }

  /** The position that belongs to {@link topSequence}. */
  topPosition(): number {
    return this.values[0]!;
  }

  push(sequence: number, position: number): void {
    if (this.size === this.keys.length) this.grow();
    const keys = this.keys;
    const values = this.values;
    let i = this.size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (keys[parent]! <= sequence) break;
      keys[i] = keys[parent]!;
      values[i] = values[parent]!;
      i = parent;
    }
    keys[i] = sequence;
    values[i] = position;
  }

  /** Removes the smallest pair. */
  pop(): void {
    const keys = this.keys;
    const values = this.values;
    const size = --this.size;
    const sequence = keys[size]!;
    const position = values[size]!;
    let i = 0;
    for (let child = 1; child < size; child = 2 * i + 1) {
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++;
      if (sequence <= keys[child]!) break;
      keys[i] = keys[child]!;
      values[i] = values[child]!;
      i = child;
    }
    keys[i] = sequence;
    values[i] = position;
  }

  private grow(): void {
    const keys = new Float64Array(2 * this.keys.length);
    const values = new Float64Array(2 * this.keys.length);
    keys.set(this.keys);
    values.set(this.values);
    this.keys = keys;
    this.values = values;
  }
}
