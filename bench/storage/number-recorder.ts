/** Remembers in which order numbered messages came. */
import type { DeliverySink } from './numbered-deliveries.ts';

/** Takes a fixed number of deliveries. */
export class NumberRecorder implements DeliverySink {
  /** Body numbers in the order of arrival. */
  readonly numbers: Uint32Array;
  /** Their delivery tags. */
  readonly deliveryTags: Uint32Array;
  readonly whenComplete: Promise<void>;
  private count: number;
  private resolve: () => void;

  constructor(count: number) {
    this.numbers = new Uint32Array(count);
    this.deliveryTags = new Uint32Array(count);
    this.count = 0;
    this.resolve = () => {};
    this.whenComplete = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  onDelivery(deliveryTag: number, bodyNumber: number): void {
    if (this.count === this.numbers.length) throw new Error('more deliveries than messages');
    this.numbers[this.count] = bodyNumber;
    this.deliveryTags[this.count] = deliveryTag;
    this.count++;
  }

  onReadEnd(): void {
    if (this.count === this.numbers.length) this.resolve();
  }

  /** @throws Error when the numbers are not 0, 1, 2 ... */
  expectInOrder(): void {
    const wrong = this.numbers.findIndex((number, i) => number !== i);
    if (wrong >= 0) throw new Error(`delivery ${wrong} was message ${this.numbers[wrong]}`);
  }
}
