/** The one queue of the stand-in broker: a number of ready messages, and who waits for them. */

/** A consumer, as the queue sees it. */
export interface StandInConsumer {
  /** Delivers what it can take of the ready messages; called when there are some. */
  deliver(): void;
}

/** Counts; it holds no message. */
export class StandInQueue {
  ready: number;
  /** Publishes seen. */
  published: number;
  /** Deliveries acked. */
  acked: number;
  /** Called after each read that brought publishes. */
  onPublish: () => void;
  readonly bodySizeBytes: number;
  private readonly consumers: Set<StandInConsumer>;

  constructor(bodySizeBytes: number) {
    this.ready = 0;
    this.published = 0;
    this.acked = 0;
    this.onPublish = () => {};
    this.bodySizeBytes = bodySizeBytes;
    this.consumers = new Set();
  }

  publish(count: number): void {
    this.published += count;
    this.ready += count;
    for (const consumer of this.consumers) consumer.deliver();
    this.onPublish();
  }

  addConsumer(consumer: StandInConsumer): void {
    this.consumers.add(consumer);
    consumer.deliver();
  }

  removeConsumer(consumer: StandInConsumer): void {
    this.consumers.delete(consumer);
  }
}
