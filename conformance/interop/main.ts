/**
 * Takes clients that no one here wrote through a session with the broker, and has some of them look for
 * their messages after restarts.
 *
 *     node dist/conformance/interop/main.js [--url amqp://...] [CLIENT ...]
 *
 * Without a URL it starts this repository's server on a free port. With one it leaves out the restarts,
 * since that broker is not its own to stop. A client that is not installed is skipped by name; where the
 * environment says CI=true that is a failure. The last line is `N passed, N failed`, counting steps.
 */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { LocalServer } from '../support/local-server.ts';
import { INTEROP_CLIENTS, type InteropClientEntry } from './clients.ts';
import { runCommand } from './run-command.ts';

interface Counts {
  passed: number;
  failed: number;
}

const RESTART_SIGNALS = ['SIGTERM', 'SIGKILL'] as const;

async function main(): Promise<void> {
  const command = new Command('interop')
    .option('--url <url>', 'the broker to test')
    .argument('[clients...]', `out of ${INTEROP_CLIENTS.map(({ name }) => name).join(', ')}`)
    .parse();
  const { url } = command.opts<{ url?: string }>();
  const counts = { passed: 0, failed: 0 };
  const clients = await installedClients(command.args, counts);
  if (url === undefined) {
    await runAgainstOurs(clients, counts).catch((error: unknown) => {
      fail(counts, 'the server itself', String(error));
    });
  } else for (const client of clients) await runSession(client, url, counts);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

async function installedClients(
  wanted: readonly string[],
  counts: Counts,
): Promise<InteropClientEntry[]> {
  for (const name of wanted) {
    if (INTEROP_CLIENTS.some((client) => client.name === name)) continue;
    fail(counts, name, 'there is no such client');
  }
  const installed: InteropClientEntry[] = [];
  for (const client of INTEROP_CLIENTS) {
    if (wanted.length > 0 && !wanted.includes(client.name)) continue;
    if (client.probe === null || (await runCommand(client.probe)).succeeded) installed.push(client);
    else if (process.env['CI']) fail(counts, client.name, `needs ${client.packages.join(', ')}`);
    else console.log(`skipped: ${client.name} (needs ${client.packages.join(', ')})`);
  }
  return installed;
}

async function runAgainstOurs(
  clients: readonly InteropClientEntry[],
  counts: Counts,
): Promise<void> {
  const server = await LocalServer.start();
  try {
    for (const client of clients) await runSession(client, server.url, counts);
    for (const client of clients) {
      for (const signal of RESTART_SIGNALS) await runRestart(client, server, signal, counts);
    }
  } finally {
    await server.stop();
  }
}

async function runSession(client: InteropClientEntry, url: string, counts: Counts): Promise<void> {
  await runSteps(client.name, [...client.session, url, uniqueName()], client.steps, counts);
}

async function runRestart(
  { name, restart }: InteropClientEntry,
  server: LocalServer,
  signal: (typeof RESTART_SIGNALS)[number],
  counts: Counts,
): Promise<void> {
  if (restart === null) return;
  const queue = uniqueName();
  const title = `${name} over ${signal}`;
  await runSteps(title, [...restart, 'publish', server.url, queue], ['publish'], counts);
  await server.restart(signal);
  await runSteps(title, [...restart, 'collect', server.url, queue], ['collect'], counts);
}

/** Runs a script and counts its steps: done, or failed by being the one that it ended at. */
async function runSteps(
  title: string,
  command: readonly string[],
  steps: readonly string[],
  counts: Counts,
): Promise<void> {
  const { succeeded, stdout, complaint } = await runCommand(command);
  const isDone = (step: string): boolean => stdout.split('\n').includes(`done ${step}`);
  const missing = steps.filter((step) => !isDone(step));
  counts.passed += steps.length - missing.length;
  if (missing.length > 0) fail(counts, `${title}, ${missing[0]}`, `${stdout}${complaint}`);
  else if (!succeeded) fail(counts, title, `every step done, but then: ${complaint}`);
}

function fail(counts: Counts, title: string, explanation: string): void {
  counts.failed++;
  console.log(`FAILED ${title}\n${explanation}`);
}

function uniqueName(): string {
  return `interop-${randomBytes(6).toString('hex')}`;
}

await main();
