/** `firnmqperf connections`: many clients at once, as after a restart of the broker or of the network. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { parseAmount, parseCount } from '../parse-numbers.ts';
import { StorageServer } from '../storage/storage-server.ts';
import { type OpenAtOnceResult, openAtOnce } from './open-at-once.ts';

const MIB = 2 ** 20;

/** As commander hands the flags over. */
interface ConnectionsFlags {
  readonly uri?: string;
  readonly count: number;
  readonly within: number;
}

/** Adds the command to `program`. */
export function addConnectionsCommand(program: Command): void {
  program
    .command('connections')
    .description('open many connections at once, and say how long they took to be served')
    .option('--uri <uri>', 'broker to ask (default: our own server, started for it)')
    .option('-n, --count <count>', 'connections', parseCount, 10_000)
    .option('--within <seconds>', 'fails when not all are served by then', parseAmount, 10)
    .action(runCommand);
}

async function runCommand({ uri, count, within }: ConnectionsFlags): Promise<void> {
  const options = { count, limitMs: within * 1000 };
  if (uri !== undefined) {
    await report(options.count, await openAtOnce({ ...options, uri: parseAmqpUri(uri) }), null);
    return;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const server = await StorageServer.start(dataDir, null, interrupt.signal);
  try {
    await report(options.count, await openAtOnce({ ...options, uri: server.uri }), server);
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function report(
  count: number,
  { servedMs, failures, close }: OpenAtOnceResult,
  server: StorageServer | null,
): Promise<void> {
  const after = (share: number): string =>
    (servedMs[Math.ceil(share * servedMs.length) - 1] ?? Number.NaN).toFixed(0);
  console.log(
    `${servedMs.length} of ${count} connections served: half after ${after(0.5)} ms, ` +
      `99 % after ${after(0.99)} ms, all after ${after(1)} ms`,
  );
  if (server !== null) {
    const { rssBytes } = server.memory;
    console.log(
      `the server: ${(rssBytes / MIB).toFixed(0)} MiB with all of them open, ` +
        `${server.cpuSeconds.toFixed(2)} s of processor time`,
    );
  }
  const reasons = new Set(failures);
  for (const reason of [...reasons].slice(0, 5)) console.log(`failed: ${reason}`);
  await close();
  if (failures.length > 0) throw new Error(`${failures.length} connections were not served`);
}
