/**
 * Kill rounds: the real server is killed by SIGKILL at random moments under confirmed load, started again on the
 * same directory, and at the end everything that it still holds is compared with the ledger.
 *
 * The moment is the n-th confirm of the round, n by seed; the rest of the timing is the machine's own. The page
 * cache survives a SIGKILL: that syncs are not left out is shown elsewhere, by a file system that forgets.
 */
import type { Channel, ConsumeMessage } from 'amqplib';
import { within } from '../support/deadline.ts';
import { LocalServer, type LocalServerOptions } from '../support/local-server.ts';
import { CrashClient } from './client.ts';
import { CrashConsumer } from './consumer.ts';
import { Ledger, type Violation } from './ledger.ts';
import { MIXED_SIZES, startPublisher } from './publisher.ts';
import { Random } from './random.ts';
import { CONSUMED_QUEUES, declareTopology, PUBLISHERS, QUEUES } from './topology.ts';

/** The kill comes after at most this many confirms. */
const CONFIRMS_MAX = 800;
/** How long all confirms of a round may take on a busy machine, in milliseconds. */
const MOMENT_LIMIT_MS = 60_000;
/** ... and all messages of a queue that nobody has consumed from. */
const DRAIN_LIMIT_MS = 60_000;

/** How a run went. */
export interface KillResult {
  readonly rounds: number;
  readonly violations: readonly Violation[];
  readonly confirmedCount: number;
  readonly redeliveredCount: number;
}

/** What one kind of rounds has of its own. */
export interface RoundKind {
  /** How its server is started. */
  readonly server: LocalServerOptions;
  /** Works, and kills the server. */
  readonly play: (server: LocalServer, ledger: Ledger, random: Random) => Promise<void>;
  /** Looks at the server that is drained at the end, and leaves it drained. */
  readonly inspect: (url: string, ledger: Ledger, random: Random) => Promise<void>;
}

/**
 * Plays rounds on a server of their own, then drains all queues, stops the server in order and looks at it once more.
 *
 * @throws Error that says what was awaited in vain
 */
export async function playRounds(
  kind: RoundKind,
  rounds: number,
  seed: number,
): Promise<KillResult> {
  const ledger = new Ledger();
  const random = new Random(seed);
  const server = await LocalServer.start(kind.server);
  try {
    for (ledger.round = 1; ledger.round <= rounds; ledger.round++) {
      await kind.play(server, ledger, random);
    }
    await drain(server.url, ledger);
    await kind.inspect(server.url, ledger, random);
    await server.restart('SIGTERM');
    await checkEmpty(server.url, ledger);
  } catch (error) {
    throw new Error(`round ${ledger.round} of seed ${seed} does not go on`, { cause: error });
  } finally {
    await server.stop();
  }
  const { violations, confirmedCount, redeliveredCount } = ledger;
  return { rounds, violations, confirmedCount, redeliveredCount };
}

/** Kills the server, waits until nothing more comes from it, and starts it again. */
export async function kill(
  server: LocalServer,
  clients: readonly CrashClient[],
  ledger: Ledger,
): Promise<void> {
  for (const client of clients) client.endsNow = true;
  await server.restart('SIGKILL');
  await within(Promise.all(clients.map(({ gone }) => gone)), 'end of the sockets');
  ledger.killed();
}

/**
 * Plays rounds under confirmed load.
 *
 * @throws Error that says what was awaited in vain
 */
export function playKillRounds(rounds: number, seed: number): Promise<KillResult> {
  return playRounds({ server: {}, play: playRound, inspect: async () => {} }, rounds, seed);
}

async function playRound(server: LocalServer, ledger: Ledger, random: Random): Promise<void> {
  const clients: CrashClient[] = [];
  const connect = async (): Promise<CrashClient> => {
    const client = await CrashClient.connect(server.url, ledger);
    clients.push(client);
    return client;
  };
  await within(declareTopology((await connect()).connection), 'declare-oks');
  const consume = async (): Promise<void> => {
    for (const queue of CONSUMED_QUEUES) {
      const consumer = CrashConsumer.start(await connect(), queue, ledger, random);
      await within(consumer, `consume-ok of ${queue}`);
    }
  };
  const confirms = 1 + random.below(CONFIRMS_MAX);
  const moment = ledger.after('confirm', confirms);
  const half = ledger.after('confirm', Math.ceil(confirms / 2));
  // What the kill before has left is delivered at once, or only when messages of this round were confirmed.
  const isLate = random.oneIn(2);
  if (!isLate) await consume();
  for (const plan of PUBLISHERS) {
    const publisher = startPublisher(await connect(), plan, ledger, random, MIXED_SIZES);
    await within(publisher, `channel of publisher ${plan.name}`);
  }
  if (isLate) {
    await within(half, `half of ${confirms} confirms`, MOMENT_LIMIT_MS);
    await consume();
  }
  await within(moment, `${confirms} confirms`, MOMENT_LIMIT_MS);
  await kill(server, clients, ledger);
}

/** Takes everything that is left. */
export async function drain(url: string, ledger: Ledger): Promise<void> {
  const client = await CrashClient.connect(url, ledger);
  const channel = await within(client.connection.createChannel(), 'channel to drain with');
  for (const queue of QUEUES) {
    await within(drainQueue(channel, queue, ledger), `end of ${queue}`, DRAIN_LIMIT_MS);
  }
  ledger.close();
  // amqplib would let its connection.close overtake the last acks.
  await within(channel.close(), 'channel.close-ok');
  await client.close();
}

/** Nobody else publishes or consumes, so a queue is empty when all that it counted has come. */
async function drainQueue(channel: Channel, queue: string, ledger: Ledger): Promise<void> {
  let { messageCount: left } = await channel.checkQueue(queue);
  if (left === 0) return;
  await new Promise<void>((resolve, reject) => {
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) return;
      const id = ledger.deliver(queue, message.content, message.fields.redelivered);
      if (id !== null) ledger.ack(queue, id);
      channel.ack(message);
      left--;
      if (left === 0) resolve();
    };
    channel.consume(queue, take).catch(reject);
  });
}

/** What was acked before a clean stop does not come back. */
async function checkEmpty(url: string, ledger: Ledger): Promise<void> {
  const client = await CrashClient.connect(url, ledger);
  const channel = await within(client.connection.createChannel(), 'channel to look with');
  for (const queue of QUEUES) {
    const { messageCount } = await within(channel.checkQueue(queue), `count of ${queue}`);
    if (messageCount > 0)
      ledger.blame(`${queue} holds ${messageCount} messages acked before the stop`);
  }
  await client.close();
}
