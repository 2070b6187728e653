/**
 * @hot The consumers of a queue, and which of them is next: those of the highest priority that take a message, in turn;
 * lower ones only while no higher one does.
 *
 *     levels   [ 10: a b ]  [ 0: c - d e ]  [ -1: f ]      nearly always one level, or none
 *
 * One that leaves leaves a hole behind, until half of its level are holes: thousands come and go in one turn with the
 * channel that they are of.
 */
import type { Consumer } from './consumer.ts';

/** The consumers of one priority, in the order in which they came. */
class ConsumerLevel {
  readonly priority: number;
  count: number;
  /** By {@link Consumer.place}; null where one has left. */
  private places: (Consumer | null)[];
  /** The place that is asked first. */
  private next: number;

  constructor(priority: number) {
    this.priority = priority;
    this.count = 0;
    this.places = [];
    this.next = 0;
  }

  add(consumer: Consumer): void {
    consumer.place = this.places.length;
    this.places.push(consumer);
    this.count++;
  }

  remove(consumer: Consumer): void {
    this.places[consumer.place] = null;
    this.count--;
    if (this.count <= this.places.length / 2) this.closeUp();
  }

  /** HOT per delivery. The next consumer in turn that takes a message, or null. */
  nextWilling(): Consumer | null {
    const { places } = this;
    const { length } = places;
    let at = this.next;
    for (let i = 0; i < length; i++) {
      if (at >= length) at = 0;
      const consumer = places[at];
      at++;
      if (consumer?.isWilling) {
        this.next = at;
        return consumer;
      }
    }
    return null;
  }

  /** HOT per run. Puts those that take a message into `takers`, in turn from `first` on; none where there are too many. */
  findTakers(first: Consumer, takers: Consumer[], most: number): void {
    const { places } = this;
    const { length } = places;
    if (length > most) return;
    for (let i = 0, at = first.place; i < length; i++, at++) {
      if (at >= length) at = 0;
      const consumer = places[at];
      if (consumer?.isWilling) takers.push(consumer);
    }
  }

  /** `consumer`, one of them, was the last that got a message. */
  wasServed(consumer: Consumer): void {
    this.next = consumer.place + 1;
  }

  *[Symbol.iterator](): Generator<Consumer> {
    for (const consumer of this.places) if (consumer !== null) yield consumer;
  }

  private closeUp(): void {
    const before = this.places.slice(0, this.next);
    this.next = before.reduce((count, consumer) => (consumer === null ? count : count + 1), 0);
    this.places = [...this];
    for (let place = 0; place < this.places.length; place++) this.places[place]!.place = place;
  }
}

/** The consumers of a queue. */
export class ConsumerLevels {
  count: number;
  private noAckCount: number;
  private exclusiveCount: number;
  /** Descending by priority. */
  private readonly levels: ConsumerLevel[];

  constructor() {
    this.count = 0;
    this.noAckCount = 0;
    this.exclusiveCount = 0;
    this.levels = [];
  }

  /** All want acks, or none does. */
  get haveOneAckMode(): boolean {
    return this.noAckCount === 0 || this.noAckCount === this.count;
  }

  /** One of them has the queue for itself. */
  get areExclusive(): boolean {
    return this.exclusiveCount > 0;
  }

  /** HOT per delivery. The next willing consumer of the highest level that has one, or null. */
  nextWilling(): Consumer | null {
    const { levels } = this;
    for (let i = 0; i < levels.length; i++) {
      const consumer = levels[i]!.nextWilling();
      if (consumer !== null) return consumer;
    }
    return null;
  }

  /**
   * HOT per run. Puts those that take a message next into `takers`, in turn: `first`, which is next, and the others of its
   * priority. None where more than `most` have that.
   */
  findTakers(first: Consumer, takers: Consumer[], most: number): void {
    this.levels[this.find(first.priority)]!.findTakers(first, takers, most);
  }

  /** HOT per run. Of those of its priority `consumer` was the last that got a message. */
  wasServed(consumer: Consumer): void {
    this.levels[this.find(consumer.priority)]!.wasServed(consumer);
  }

  /** One more, the last of its level. */
  add(consumer: Consumer): void {
    const { levels } = this;
    const { priority } = consumer;
    const at = this.find(priority);
    if (levels[at]?.priority !== priority) levels.splice(at, 0, new ConsumerLevel(priority));
    levels[at]!.add(consumer);
    this.counted(consumer, 1);
  }

  /** One that was added leaves. */
  remove(consumer: Consumer): void {
    const at = this.find(consumer.priority);
    const level = this.levels[at]!;
    level.remove(consumer);
    if (level.count === 0) this.levels.splice(at, 1);
    this.counted(consumer, -1);
  }

  *[Symbol.iterator](): Generator<Consumer> {
    for (const level of this.levels) yield* level;
  }

  private counted({ noAck, exclusive }: Consumer, change: number): void {
    this.count += change;
    if (noAck) this.noAckCount += change;
    if (exclusive) this.exclusiveCount += change;
  }

  /** Index of the first level that is not above a priority. */
  private find(priority: number): number {
    const { levels } = this;
    let low = 0;
    let high = levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (levels[middle]!.priority > priority) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
