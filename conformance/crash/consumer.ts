/** Consumes from a queue and acks in its own irregular way: one by one, many at once, some put back first. */
import type { Channel, ConsumeMessage } from 'amqplib';
import type { CrashClient } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';

const PREFETCH = 100;

/** The consumer of one queue in one round. */
export class CrashConsumer {
  private readonly client: CrashClient;
  private readonly channel: Channel;
  private readonly queue: string;
  private readonly ledger: Ledger;
  private readonly random: Random;
  /** Delivered and not acked, oldest first. */
  private unacked: { readonly id: string; readonly message: ConsumeMessage }[] = [];
  /** Acked, and nothing was answered since. */
  private unsettled: string[] = [];
  private isAsking = false;

  private constructor(
    client: CrashClient,
    channel: Channel,
    queue: string,
    ledger: Ledger,
    random: Random,
  ) {
    this.client = client;
    this.channel = channel;
    this.queue = queue;
    this.ledger = ledger;
    this.random = random;
  }

  static async start(
    client: CrashClient,
    queue: string,
    ledger: Ledger,
    random: Random,
  ): Promise<CrashConsumer> {
    const channel = await client.connection.createChannel();
    channel.on('error', (error: Error) => ledger.blame(`a channel fails: ${error.message}`));
    const consumer = new CrashConsumer(client, channel, queue, ledger, random);
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => {
      if (message === null) ledger.blame(`the consumer of ${queue} is cancelled`);
      else consumer.take(message);
    });
    return consumer;
  }

  private take(message: ConsumeMessage): void {
    const { queue, ledger, random } = this;
    const id = ledger.deliver(queue, message.content, message.fields.redelivered);
    // What still comes out of a dead socket is seen, but no ack would arrive.
    if (id === null || this.client.endsNow) return;
    if (!message.fields.redelivered && random.oneIn(50)) {
      this.channel.nack(message, false, true);
      return;
    }
    this.unacked.push({ id, message });
    if (random.oneIn(10)) this.ackSome();
    if (this.unacked.length >= PREFETCH / 2) this.ackAll();
  }

  /** Acks a random one, so that holes come about. */
  private ackSome(): void {
    const [chosen] = this.unacked.splice(this.random.below(this.unacked.length), 1);
    if (chosen === undefined) return;
    this.sent(chosen.id);
    this.channel.ack(chosen.message);
  }

  private ackAll(): void {
    const last = this.unacked.at(-1);
    if (last === undefined) return;
    for (const { id } of this.unacked) this.sent(id);
    this.unacked = [];
    this.channel.ack(last.message, true);
    this.ask();
  }

  private sent(id: string): void {
    this.ledger.ack(this.queue, id);
    this.unsettled.push(id);
  }

  /** A question behind the acks: its answer tells that the broker has carried them out. */
  private ask(): void {
    if (this.isAsking) return;
    this.isAsking = true;
    const asked = this.unsettled;
    this.unsettled = [];
    this.channel.checkQueue(this.queue).then(
      () => {
        this.isAsking = false;
        this.ledger.settleAcks(this.queue, asked);
      },
      (error: unknown) => {
        if (!this.client.endsNow) this.ledger.blame(`no answer: ${String(error)}`);
      },
    );
  }
}
