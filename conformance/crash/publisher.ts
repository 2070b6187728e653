/** Publishes with confirms as fast as a window of unconfirmed messages allows, until the broker is gone. */
import type { ConfirmChannel } from 'amqplib';
import type { CrashClient } from './client.ts';
import { bodyOf, type Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { PublisherPlan } from './topology.ts';

const WINDOW = 60;
/** RESOURCE_ERROR: the disk has no room for a large body. */
const REFUSED = 506;

/** How large the bodies are. */
export interface BodySizes {
  /** Bytes of the next one. */
  next(random: Random): number;
  /** A disk that is full may refuse some, and then closes their channel. */
  readonly mayBeRefused: boolean;
}

/** Mostly small; some bodies take several reads, few several frames. */
export const MIXED_SIZES: BodySizes = {
  next: (random) => {
    if (random.oneIn(200)) return 200_000;
    if (random.oneIn(20)) return random.below(20_000);
    return random.below(200);
  },
  mayBeRefused: false,
};

/** Starts publishing. */
export async function startPublisher(
  client: CrashClient,
  plan: PublisherPlan,
  ledger: Ledger,
  random: Random,
  sizes: BodySizes,
): Promise<void> {
  await new Publisher(client, plan, ledger, random, sizes).start();
}

class Publisher {
  private readonly client: CrashClient;
  private readonly plan: PublisherPlan;
  private readonly ledger: Ledger;
  private readonly random: Random;
  private readonly sizes: BodySizes;
  /** Channels that the broker has closed, as it may. */
  private readonly refused: Set<ConfirmChannel>;

  constructor(
    client: CrashClient,
    plan: PublisherPlan,
    ledger: Ledger,
    random: Random,
    sizes: BodySizes,
  ) {
    this.client = client;
    this.plan = plan;
    this.ledger = ledger;
    this.random = random;
    this.sizes = sizes;
    this.refused = new Set();
  }

  async start(): Promise<void> {
    const channel = await this.client.connection.createConfirmChannel();
    channel.on('error', (error: Error) => this.channelFails(channel, error));
    for (let i = 0; i < WINDOW; i++) this.publishNext(channel);
  }

  private publishNext(channel: ConfirmChannel): void {
    const { client, plan, ledger, random, sizes } = this;
    if (client.endsNow || this.refused.has(channel)) return;
    const message = ledger.publish(plan.name, plan.queues, sizes.next(random));
    const { exchange, routingKey } = plan;
    const confirmed = (error: unknown): void => {
      // Confirms that were on the way when the broker was killed count as any other.
      if (error !== null) {
        if (client.endsNow || this.refused.has(channel)) return;
        ledger.blame(`${message.id} is not confirmed: ${String(error)}`);
        return;
      }
      ledger.confirm(message);
      this.publishNext(channel);
    };
    channel.publish(exchange, routingKey, bodyOf(message), { persistent: true }, confirmed);
  }

  private channelFails(channel: ConfirmChannel, error: Error): void {
    if (!this.sizes.mayBeRefused || !('code' in error) || error.code !== REFUSED) {
      this.ledger.blame(`a channel fails: ${error.message}`);
      return;
    }
    this.refused.add(channel);
    if (this.client.endsNow) return;
    this.start().catch((failure: unknown) => {
      if (!this.client.endsNow) this.ledger.blame(`no new channel: ${String(failure)}`);
    });
  }
}
