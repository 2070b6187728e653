/**
 * @hot Acks every so many deliveries of one channel, all of them with one ack, and where asked commits the acks every
 * so many deliveries.
 *
 * The two countdowns are decremented by the consumer, per message, so that it calls only when something is due.
 * Commits are not waited for: the channel answers them in their order, the last before its close is.
 */
import { AckSlab } from '../amqp/ack-slab.ts';
import { encodeCommit } from '../amqp/control.ts';
import { BENCH_CHANNEL, type TrafficConnection } from '../amqp/traffic-scanner.ts';

const ACKS_PER_SLAB = 1024;
const COMMIT = encodeCommit();

/** Of one consumer. */
export class Acknowledger {
  /** Deliveries until the next ack is due; never 0 with auto-ack. */
  untilAck: number;
  /** Deliveries until the next commit is due; never 0 without transactions. */
  untilCommit: number;
  private readonly connection: TrafficConnection;
  private readonly ackEvery: number;
  private readonly commitEvery: number;
  private hasUncommitted: boolean;
  private slab: AckSlab;

  /**
   * @param ackEvery deliveries to an ack; 0: auto-ack
   * @param commitEvery deliveries to a commit; 0: the channel has no transactions
   */
  constructor(connection: TrafficConnection, ackEvery: number, commitEvery: number) {
    this.untilAck = ackEvery === 0 ? -1 : ackEvery;
    this.untilCommit = commitEvery === 0 ? -1 : commitEvery;
    this.connection = connection;
    this.ackEvery = ackEvery;
    this.commitEvery = commitEvery;
    this.hasUncommitted = false;
    this.slab = this.newSlab();
  }

  /** The ack that is due: of `deliveryTag` and, when it is for several, all before it. */
  ack(deliveryTag: number): void {
    this.untilAck = this.ackEvery;
    this.hasUncommitted = this.commitEvery > 0;
    this.slab.append(deliveryTag);
    if (this.slab.isFull) this.flush();
  }

  /** The commit that is due. */
  commit(): void {
    this.untilCommit = this.commitEvery;
    this.hasUncommitted = false;
    this.flush();
    this.connection.write(COMMIT);
  }

  /** Hands the acks so far to the socket, in one write. */
  flush(): void {
    if (this.slab.count === 0) return;
    this.connection.write(this.slab.framesView);
    // What the socket could not take at once is left to it, and another slab takes its place.
    if (this.connection.isWritable) this.slab.clear();
    else this.slab = this.newSlab();
  }

  /** Acks and commits the rest, up to `lastDeliveryTag`; what comes behind it is left to the broker. */
  finish(lastDeliveryTag: number): void {
    if (this.ackEvery > 1 && this.untilAck < this.ackEvery) this.ack(lastDeliveryTag);
    this.flush();
    if (this.hasUncommitted) this.commit();
    // Deliveries still come until the broker has heard of the close, and to ack one then would be an error.
    this.untilAck = -1;
    this.untilCommit = -1;
  }

  private newSlab(): AckSlab {
    return new AckSlab(BENCH_CHANNEL, this.ackEvery > 1, ACKS_PER_SLAB);
  }
}
