/** Publishes with confirms as fast as a window of unconfirmed messages allows, until the broker is gone. */
import type { ConfirmChannel } from 'amqplib';
import type { CrashClient } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { PublisherPlan } from './topology.ts';

const WINDOW = 60;

/** Starts publishing; `onConfirm` is called for each confirm. */
export async function startPublisher(
  client: CrashClient,
  plan: PublisherPlan,
  ledger: Ledger,
  random: Random,
  onConfirm: () => void,
): Promise<void> {
  const channel = await client.connection.createConfirmChannel();
  channel.on('error', (error: Error) => ledger.blame(`a channel fails: ${error.message}`));
  for (let i = 0; i < WINDOW; i++) publishNext(client, channel, plan, ledger, random, onConfirm);
}

function publishNext(
  client: CrashClient,
  channel: ConfirmChannel,
  plan: PublisherPlan,
  ledger: Ledger,
  random: Random,
  onConfirm: () => void,
): void {
  if (client.endsNow) return;
  const message = ledger.publish(plan.name, plan.queues, fillerSize(random));
  const { exchange, routingKey } = plan;
  channel.publish(exchange, routingKey, message.body, { persistent: true }, (error: unknown) => {
    // Confirms that were on the way when the broker was killed count as any other.
    if (error !== null) {
      if (!client.endsNow) ledger.blame(`${message.id} is not confirmed: ${String(error)}`);
      return;
    }
    ledger.confirm(message);
    onConfirm();
    publishNext(client, channel, plan, ledger, random, onConfirm);
  });
}

/** Mostly small; some bodies take several reads, few several frames. */
function fillerSize(random: Random): number {
  if (random.oneIn(200)) return 200_000;
  if (random.oneIn(20)) return random.below(20_000);
  return random.below(200);
}
