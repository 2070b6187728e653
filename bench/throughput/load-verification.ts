/** The verification of a whole run: its queues, and what was published to each of them. */
import type { BodyFilling } from './body-filling.ts';
import type { ThroughputOptions } from './throughput-options.ts';
import {
  ConsumerVerification,
  QueueVerification,
  type VerificationResult,
  type VerifiedMessages,
} from './verification.ts';

/** Of the queues that this process consumes from. */
export class LoadVerification {
  private readonly options: ThroughputOptions;
  private readonly firstLane: number;
  private readonly messages: VerifiedMessages;
  private readonly queues: Map<string, QueueVerification>;

  constructor(options: ThroughputOptions, filling: BodyFilling, firstLane: number) {
    this.options = options;
    this.firstLane = firstLane;
    this.messages = {
      filling,
      bodySizesBytes: options.bodySizesBytes,
      firstLane: options.producers > 0 ? firstLane : null,
    };
    this.queues = new Map();
  }

  /** The part of one more consumer of a queue. */
  addConsumer(queue: string): ConsumerVerification {
    let verification = this.queues.get(queue);
    if (verification === undefined) {
      verification = new QueueVerification(this.messages);
      this.queues.set(queue, verification);
    }
    return new ConsumerVerification(verification);
  }

  /** Whether all that was published has come. `published`: by the index of the producer. */
  isComplete(published: readonly number[]): boolean {
    for (const [queue, verification] of this.queues) {
      const expected = this.expected(queue, verification, published);
      if (expected !== null && verification.verified < expected) return false;
    }
    return true;
  }

  /**
   * What was found in all queues, their consumers having come to rest.
   *
   * @param published by the index of the producer
   * @param ready messages left in the queues
   */
  result(published: readonly number[], ready: ReadonlyMap<string, number>): VerificationResult {
    const results = Array.from(this.queues, ([queue, verification]) =>
      verification.result(this.expected(queue, verification, published), ready.get(queue) ?? 0),
    );
    const sum = (key: keyof VerificationResult): number =>
      results.reduce((total, result) => total + result[key], 0);
    return {
      verified: sum('verified'),
      redelivered: sum('redelivered'),
      missing: sum('missing'),
      duplicates: sum('duplicates'),
      outOfOrder: sum('outOfOrder'),
      corrupt: sum('corrupt'),
      foreign: sum('foreign'),
    };
  }

  /** Messages that were published to a queue; null: another process did that. */
  private expected(
    queue: string,
    verification: QueueVerification,
    published: readonly number[],
  ): number | null {
    if (this.options.producers === 0) return null;
    let expected = 0;
    const { length } = this.options.queues;
    published.forEach((count, producer) => {
      for (let slot = 0; slot < length; slot++) {
        const lane = this.firstLane + producer * length + slot;
        if (this.isFor(queue, slot, verification, lane)) {
          expected += Math.max(0, Math.ceil((count - slot) / length));
        }
      }
    });
    return expected;
  }

  /** Of an exchange only the broker knows where its messages go: a lane is the queue's when one of it has come. */
  private isFor(queue: string, slot: number, { lanes }: QueueVerification, lane: number): boolean {
    const { exchange, routingKey, queues } = this.options;
    if (exchange === '') return (routingKey ?? queues[slot]) === queue;
    return queues.length === 1 || lanes.has(lane);
  }
}
