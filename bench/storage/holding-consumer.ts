/**
 * @hot Acks every delivery by itself but for some, which stay unacked: the worst that consumers do to storage and
 * to the channel's list.
 */
import { AckSlab } from '../amqp/ack-slab.ts';
import { BENCH_CHANNEL, type TrafficConnection } from '../amqp/traffic-scanner.ts';
import { type DeliverySink, NumberedDeliveries } from './numbered-deliveries.ts';

const ACKS_PER_SLAB = 1024;

/** Consumes over a connection of its own. */
export class HoldingConsumer implements DeliverySink {
  consumed: number;
  private readonly connection: TrafficConnection;
  private readonly holdEvery: number;
  private slab: AckSlab;

  /** @param holdEvery the first of so many deliveries is not acked; Infinity: the very first alone */
  constructor(connection: TrafficConnection, holdEvery: number) {
    this.consumed = 0;
    this.connection = connection;
    this.holdEvery = holdEvery;
    this.slab = new AckSlab(BENCH_CHANNEL, false, ACKS_PER_SLAB);
    new NumberedDeliveries(connection, this);
  }

  /** HOT per delivery. */
  onDelivery(deliveryTag: number): void {
    this.consumed++;
    if (deliveryTag % this.holdEvery === 1) return;
    this.slab.append(deliveryTag);
    if (this.slab.isFull) this.flushAcks();
  }

  onReadEnd(): void {
    if (this.slab.count > 0) this.flushAcks();
  }

  /** A slab that the socket could not take at once is left to it, and another takes its place. */
  private flushAcks(): void {
    this.connection.write(this.slab.framesView);
    if (this.connection.isWritable) this.slab.clear();
    else this.slab = new AckSlab(BENCH_CHANNEL, false, ACKS_PER_SLAB);
  }
}
