/** An unbounded queue between callbacks that bring items and a scenario that awaits them one by one. */
import { within } from './deadline.ts';

export class Inbox<T> {
  private readonly what: string;
  private readonly items: T[] = [];
  private readonly waiting: { resolve: (item: T) => void; reject: (error: Error) => void }[] = [];
  private failure: Error | null = null;

  /** @param what names one item in the error of a wait in vain */
  constructor(what: string) {
    this.what = what;
  }

  /** How many items arrived and were not taken. */
  get count(): number {
    return this.items.length;
  }

  /** The items that arrived and were not taken. */
  get untaken(): readonly T[] {
    return this.items;
  }

  put(item: T): void {
    const first = this.waiting.shift();
    if (first === undefined) this.items.push(item);
    else first.resolve(item);
  }

  /** No more items will come: what waits now or later, once the items are taken, is rejected. */
  fail(error: Error): void {
    this.failure ??= error;
    for (const waiter of this.waiting.splice(0)) waiter.reject(error);
  }

  /** The next item. */
  take(): Promise<T> {
    const item = this.items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.failure !== null) return Promise.reject(this.failure);
    return within(
      new Promise<T>((resolve, reject) => this.waiting.push({ resolve, reject })),
      this.what,
    );
  }

  /** The next item; null when no more will come. */
  async takeOrEnd(): Promise<T | null> {
    try {
      return await this.take();
    } catch (error) {
      if (error === this.failure) return null;
      throw error;
    }
  }

  /** The next `count` items, in order. */
  async takeMany(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.take());
    return taken;
  }
}
