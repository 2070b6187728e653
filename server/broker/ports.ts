/**
 * The interfaces through which the broker speaks to what lies outside it. Outer rooms implement them; the
 * broker imports none of those rooms.
 */
import type { Permissions } from '../auth/permissions.ts';
import type { ByteArea } from '../base/byte-area.ts';
import type { Consumer } from './consumer.ts';
import type { DeliveryRun } from './delivery-run.ts';
import type { Queue } from './queue.ts';

/** Owns exclusive queues: they go with it, and nobody else may use them. A connection. */
export interface QueueOwner {
  /** For the log: who it is. */
  readonly description: string;
  /** A queue of its own is gone. */
  queueClosed(queue: Queue): void;
}

/** On whose behalf something is asked of the broker. */
export interface Actor {
  readonly userName: string;
  readonly permissions: Permissions;
  /** Whether messages may name another user as their publisher. */
  readonly canImpersonate: boolean;
  readonly owner: QueueOwner;
}

/** Where deliveries go: a channel of a connection. */
export interface DeliverySink {
  /** False while the peer does not take what it was sent, or the channel's own limit is reached. */
  readonly canTake: boolean;

  /** Deliveries that its own limit leaves, for all its consumers together; infinite without one. */
  readonly credit: number;

  /**
   * HOT. Sends the message record at `at` to `consumer`. Unless the consumer takes without acks, the sink keeps
   * the message as unacked. `area` is borrowed.
   */
  deliver(
    consumer: Consumer,
    area: ByteArea,
    at: number,
    sequence: number,
    position: number,
    redelivered: boolean,
  ): void;

  /**
   * HOT per run. Sends the messages of a run, one after the other, as long as the consumer takes them: all that
   * `run.delivered` counts in the end are as if {@link deliver} had sent them, also when it throws. Of a part, for which
   * there is credit, all are sent.
   */
  deliverRun(consumer: Consumer, run: DeliveryRun): void;

  /** The consumer ended because its queue did. */
  consumerCancelled(consumer: Consumer): void;
}

/** Told at the end of a turn that output is to be sent. */
export interface Flushable {
  flush(): void;
}
