/**
 * Kill rounds on a full disk: the real server on a small file system that publishers fill and consumers empty again,
 * killed by SIGKILL somewhere on the way. Nothing confirmed is lost, and at the end it takes messages again.
 *
 *     publish ... full: connection.blocked ... consume ... room again: connection.unblocked ... publish
 *          ^            ^                         ^           ^                                 ^   killed at one of these
 */
import { once } from 'node:events';
import { within } from '../support/deadline.ts';
import type { LocalServer } from '../support/local-server.ts';
import { CrashClient } from './client.ts';
import { CrashConsumer } from './consumer.ts';
import type { Ledger } from './ledger.ts';
import { type BodySizes, startPublisher } from './publisher.ts';
import type { Random } from './random.ts';
import { drain, type KillResult, kill, playRounds, type RoundKind } from './rounds.ts';
import type { SmallDisk } from './small-disk.ts';
import { declareTopology, PUBLISHERS, QUEUES } from './topology.ts';

/** Size of the file system. Publishers fill it within a second or two, and the server takes its reserve before. */
export const SMALL_DISK_BYTES: number = 192 * 1024 * 1024;
/** How long it may take to fill the disk, or to empty it, on a busy machine, in milliseconds. */
const PHASE_LIMIT_MS = 120_000;
/** A kill in the middle of a phase comes after at most this many confirms or acks. */
const STEPS_MAX = 300;

/** Few small ones, so that the disk is soon full; some that lie in files of their own. */
const FILLING: BodySizes = {
  next: (random) => {
    if (random.oneIn(40)) return 1_100_000 + random.below(1_000_000);
    return random.oneIn(4) ? random.below(2000) : 20_000 + random.below(200_000);
  },
  mayBeRefused: true,
};

/** Where in its round a server is killed. */
const MOMENTS = ['filling', 'full', 'emptying', 'writable', 'refilling'] as const;

/**
 * Plays the rounds on a server of its own whose directory is on `disk`.
 *
 * @throws Error that says what was awaited in vain
 */
export function playFullDiskRounds(
  disk: SmallDisk,
  rounds: number,
  seed: number,
): Promise<KillResult> {
  const kind: RoundKind = {
    server: { parent: disk.path, args: ['--disk-free-limit', '0'] },
    play: (server, ledger, random) => new FullDiskRound(server, ledger, random).play(),
    inspect: async (url, ledger, random) => {
      await checkWritable(url, ledger, random);
      await drain(url, ledger);
    },
  };
  return playRounds(kind, rounds, seed);
}

class FullDiskRound {
  private readonly server: LocalServer;
  private readonly ledger: Ledger;
  private readonly random: Random;
  private readonly clients: CrashClient[];

  constructor(server: LocalServer, ledger: Ledger, random: Random) {
    this.server = server;
    this.ledger = ledger;
    this.random = random;
    this.clients = [];
  }

  async play(): Promise<void> {
    // The rounds take turns, so that each moment has its share in few of them.
    const moment = MOMENTS[(this.ledger.round - 1) % MOMENTS.length]!;
    await this.workUntil(moment);
    await kill(this.server, this.clients, this.ledger);
  }

  private async workUntil(moment: (typeof MOMENTS)[number]): Promise<void> {
    const { ledger } = this;
    await within(declareTopology((await this.connect()).connection), 'declare-oks');
    const publishers = await this.publish();
    const blocked = firstOf(publishers, 'blocked');
    if (moment === 'filling') {
      await this.phase('confirms, or a full disk', Promise.race([this.confirms(), blocked]));
      return;
    }
    await this.phase('full disk', blocked);
    if (moment === 'full') return;
    const unblocked = firstOf(publishers, 'unblocked');
    await this.consume();
    if (moment === 'emptying') {
      const acks = ledger.after('ack', 1 + this.random.below(STEPS_MAX));
      await this.phase('acks, or room', Promise.race([acks, unblocked]));
      return;
    }
    await this.phase('room on the disk', unblocked);
    if (moment === 'refilling') await this.phase('confirms behind it', this.confirms());
  }

  private confirms(): Promise<void> {
    return this.ledger.after('confirm', 1 + this.random.below(STEPS_MAX));
  }

  private phase(what: string, end: Promise<unknown>): Promise<unknown> {
    return within(end, what, PHASE_LIMIT_MS);
  }

  private async connect(): Promise<CrashClient> {
    const client = await CrashClient.connect(this.server.url, this.ledger);
    this.clients.push(client);
    return client;
  }

  private async publish(): Promise<readonly CrashClient[]> {
    const clients: CrashClient[] = [];
    for (const plan of PUBLISHERS) {
      const client = await this.connect();
      clients.push(client);
      const started = startPublisher(client, plan, this.ledger, this.random, FILLING);
      await within(started, `channel of publisher ${plan.name}`);
    }
    return clients;
  }

  private async consume(): Promise<void> {
    for (const queue of QUEUES) {
      const consumer = CrashConsumer.start(await this.connect(), queue, this.ledger, this.random);
      await within(consumer, `consume-ok of ${queue}`);
    }
  }
}

/** A connection is told only when it publishes: whichever is the first. */
function firstOf(
  clients: readonly CrashClient[],
  event: 'blocked' | 'unblocked',
): Promise<unknown> {
  return Promise.race(clients.map(({ connection }) => once(connection, event)));
}

/** The disk has room again: what is published is confirmed. */
async function checkWritable(url: string, ledger: Ledger, random: Random): Promise<void> {
  const client = await CrashClient.connect(url, ledger);
  const sizes: BodySizes = { next: () => 1000, mayBeRefused: false };
  const confirmed = ledger.after('confirm', 10 * PUBLISHERS.length);
  for (const plan of PUBLISHERS) await startPublisher(client, plan, ledger, random, sizes);
  await within(confirmed, 'confirms on a disk that has room again', PHASE_LIMIT_MS);
  await client.close();
}
