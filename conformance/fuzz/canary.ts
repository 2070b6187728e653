/**
 * Two well-behaved connections beside a fuzz run: one publishes with confirms to a durable and to a transient queue, the
 * other consumes and acks. They must see nothing of what goes on: no close, no loss, no disorder, no long wait.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { publish } from '../support/amqp.ts';
import { within } from '../support/deadline.ts';
import { Inbox } from '../support/inbox.ts';

/** How long a confirm or a delivery may take, in milliseconds; a busy machine included. */
const BEAT_LIMIT_MS = 10_000;
const QUEUES = [
  { name: 'canary.durable', durable: true },
  { name: 'canary.transient', durable: false },
];
/** Messages of a beat for each queue. */
const BEAT_COUNT = 3;

/** Beats as long as the broker is well. */
export class Canary {
  readonly complaints: string[] = [];
  /** The longest beat so far, in milliseconds. */
  longestMs = 0;
  beats = 0;
  private readonly url: string;
  private readonly connections: ChannelModel[] = [];
  private readonly deliveries: Inbox<string> = new Inbox('delivery to the canary');
  private isEnding = false;
  private next = 0;

  private constructor(url: string) {
    this.url = url;
  }

  static async start(url: string): Promise<Canary> {
    const canary = new Canary(url);
    const consumer = await canary.channel();
    for (const { name, durable } of QUEUES) {
      await consumer.assertQueue(name, { durable });
      await consumer.consume(name, (message) => canary.take(consumer, message));
    }
    return canary;
  }

  /** Publishes, and waits for confirms and deliveries; again after a rest, until told to end. */
  async beatUntil(isOver: () => boolean, restMs: number): Promise<void> {
    const channel = await (await this.connection()).createConfirmChannel();
    channel.on('error', (error: Error) => this.complain(`channel: ${error.message}`));
    while (!isOver() && this.complaints.length === 0) {
      const from = performance.now();
      try {
        await within(this.beat(channel), 'beat of the canary', BEAT_LIMIT_MS);
      } catch (error) {
        this.complain(String(error));
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - from);
      this.beats++;
      await pause(restMs);
    }
  }

  /** Looks that nothing is left over, and says goodbye. */
  async end(): Promise<void> {
    const channel = await this.channel();
    for (const { name } of QUEUES) {
      const { messageCount, consumerCount } = await channel.checkQueue(name);
      if (messageCount > 0 || consumerCount !== 1) {
        this.complain(`${name} ends with ${messageCount} messages, ${consumerCount} consumers`);
      }
    }
    this.isEnding = true;
    for (const connection of this.connections) await connection.close();
  }

  private async beat(
    channel: Awaited<ReturnType<ChannelModel['createConfirmChannel']>>,
  ): Promise<void> {
    for (const { name } of QUEUES) {
      const bodies = Array.from({ length: BEAT_COUNT }, () => `${this.next++}`);
      await Promise.all(bodies.map((body) => publish(channel, '', name, body)));
      const delivered = await this.deliveries.takeMany(BEAT_COUNT);
      const expected = bodies.map((body) => `${name} ${body}`);
      if (String(delivered) !== String(expected)) {
        this.complain(`published ${String(expected)}, delivered ${String(delivered)}`);
      }
    }
  }

  private take(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) {
      this.complain('its consumer is cancelled');
      return;
    }
    const { redelivered, routingKey } = message.fields;
    if (redelivered) this.complain('a message is redelivered');
    this.deliveries.put(`${routingKey} ${message.content.toString()}`);
    channel.ack(message);
  }

  private async channel(): Promise<Channel> {
    const channel = await (await this.connection()).createChannel();
    channel.on('error', (error: Error) => this.complain(`channel: ${error.message}`));
    return channel;
  }

  private async connection(): Promise<ChannelModel> {
    const connection = await within(connect(this.url, { noDelay: true }), 'connection');
    connection.on('error', (error: Error) => this.complain(`connection: ${error.message}`));
    connection.on('close', () => {
      if (!this.isEnding) this.complain('its connection is closed');
    });
    this.connections.push(connection);
    return connection;
  }

  private complain(text: string): void {
    this.complaints.push(`canary: ${text}`);
  }
}
