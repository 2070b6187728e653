/**
 * Takes clients that no one here wrote through the scenarios of `scenarios.ts`.
 *
 *     node dist/conformance/interop/main.js [--target NAME | --url amqp://...] [--scenario NAME ...] [CLIENT ...]
 *     node dist/conformance/interop/main.js --documentation
 *
 * It starts this repository's server, or with `--target rabbitmq` a private rabbitmq-server. A broker that
 * is not ours is not restarted, nor spoken to over TLS. A client that is not installed is skipped by name; where the environment
 * says CI=true that is a failure. The last line is `N passed, N failed`, counting scenarios of clients.
 */
import { randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import { startRabbitmq } from '../rabbitmq.ts';
import { brokerAt, type RunningBroker } from '../running-broker.ts';
import { LocalServer } from '../support/local-server.ts';
import { AUTHORITY_PATH, trustVariables } from '../support/tls-files.ts';
import { TARGET_NAMES, type TargetName } from '../targets.ts';
import { INTEROP_CLIENTS, type InteropClientEntry, scenariosOf } from './clients.ts';
import { Relay } from './relay.ts';
import { Results } from './results.ts';
import { type CommandResult, runCommand } from './run-command.ts';
import { RESTARTS, type ScenarioName, TLS_SCENARIOS } from './scenarios.ts';
import { documentation } from './table.ts';

interface Options {
  readonly url?: string;
  readonly target: TargetName;
  readonly scenario?: readonly string[];
  readonly documentation?: boolean;
}

/** How many sessions run beside each other: they wait more than they compute. */
const PARALLEL_SESSIONS = 4;

async function main(): Promise<void> {
  const command = new Command('interop')
    .option('--url <url>', 'the broker to test')
    .addOption(
      new Option('--target <name>', 'the broker to start').choices(TARGET_NAMES).default('firnmq'),
    )
    .option('--scenario <names...>', 'only these scenarios')
    .option('--documentation', 'prints what docs/CONFORMANCE.md says about the scenarios')
    .argument('[clients...]', `out of ${INTEROP_CLIENTS.map(({ name }) => name).join(', ')}`)
    .parse();
  const options = command.opts<Options>();
  if (options.documentation) {
    console.log(documentation());
    return;
  }
  const results = new Results();
  const clients = await installedClients(command.args, results);
  try {
    const isWanted = (name: ScenarioName): boolean => options.scenario?.includes(name) ?? true;
    if (options.url !== undefined) {
      await runAgainst(brokerAt(options.url), clients, isWanted, results);
    } else if (options.target === 'rabbitmq') {
      await runAgainst(await startRabbitmq(), clients, isWanted, results);
    } else await runAgainstOurs(clients, isWanted, results);
  } catch (error) {
    results.trouble('the broker itself', String(error));
  }
  console.log(results.summary(clients));
  process.exitCode = results.failed > 0 ? 1 : 0;
}

async function installedClients(
  wanted: readonly string[],
  results: Results,
): Promise<InteropClientEntry[]> {
  for (const name of wanted) {
    if (INTEROP_CLIENTS.some((client) => client.name === name)) continue;
    results.trouble(name, 'there is no such client');
  }
  const installed: InteropClientEntry[] = [];
  for (const client of INTEROP_CLIENTS) {
    if (wanted.length > 0 && !wanted.includes(client.name)) continue;
    if (client.probe === null || (await runCommand(client.probe)).succeeded) installed.push(client);
    else if (process.env['CI']) results.trouble(client.name, `needs ${client.packages.join(', ')}`);
    else console.log(`skipped: ${client.name} (needs ${client.packages.join(', ')})`);
  }
  return installed;
}

type Filter = (scenario: ScenarioName) => boolean;

async function runAgainst(
  broker: RunningBroker,
  clients: readonly InteropClientEntry[],
  isWanted: Filter,
  results: Results,
): Promise<void> {
  await runSessions(clients, broker.url, (name) => isWanted(name) && isForAnyBroker(name), results);
  const complaint = await broker.stop();
  if (complaint !== null) results.trouble('the broker', complaint);
}

async function runAgainstOurs(
  clients: readonly InteropClientEntry[],
  isWanted: Filter,
  results: Results,
): Promise<void> {
  const server = await LocalServer.start({ tls: true });
  try {
    await runSessions(
      clients,
      server.url,
      (name) => isWanted(name) && isForAnyBroker(name),
      results,
    );
    if (isWanted('amqps')) await runTlsSessions(clients, server.tlsUrl, results);
    await runRestarts(clients, server, isWanted, results);
  } finally {
    await server.stop();
  }
}

function isForAnyBroker(name: ScenarioName): boolean {
  return name !== 'amqps' && RESTARTS.every(({ scenario }) => scenario !== name);
}

/** Takes some clients at a time through `run`. */
async function forEachClient(
  clients: readonly InteropClientEntry[],
  run: (client: InteropClientEntry) => Promise<void>,
): Promise<void> {
  const waiting = [...clients];
  const runSome = async (): Promise<void> => {
    for (let client = waiting.shift(); client !== undefined; client = waiting.shift()) {
      await run(client);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_SESSIONS }, runSome));
}

function runSessions(
  clients: readonly InteropClientEntry[],
  url: string,
  isWanted: Filter,
  results: Results,
): Promise<void> {
  return forEachClient(clients, (client) =>
    runSession(client, url, scenariosOf(client).filter(isWanted), results),
  );
}

/** Each client once more, with what tells it whom to trust; the scenarios count as one. */
function runTlsSessions(
  clients: readonly InteropClientEntry[],
  url: string,
  results: Results,
): Promise<void> {
  const variables = { ...trustVariables(AUTHORITY_PATH), INTEROP_CA: AUTHORITY_PATH };
  return forEachClient(clients, async (client) => {
    const scenarios = scenariosOf(client);
    if (!scenarios.includes('amqps')) return;
    const chosen = TLS_SCENARIOS.filter((name) => scenarios.includes(name));
    const { succeeded, failed, complaint } = await play(client, url, chosen, { variables });
    results.record(client, 'amqps', succeeded && failed.length === 0);
    if (failed.length > 0)
      results.explain(`${client.name}: amqps (${failed.join(', ')})`, complaint);
  });
}

/** All clients at once: the server goes when each has told that it may. */
async function runRestarts(
  clients: readonly InteropClientEntry[],
  server: LocalServer,
  isWanted: Filter,
  results: Results,
): Promise<void> {
  const relay = await Relay.start(portOf(server));
  const wanted = RESTARTS.filter(({ scenario }) => isWanted(scenario));
  const running: Promise<void>[] = [];
  const readiness = wanted.map(({ scenario }) => ({ scenario, waits: [] as Promise<void>[] }));
  for (const client of clients) {
    const scenarios = scenariosOf(client).filter((name) =>
      wanted.some(({ scenario }) => scenario === name),
    );
    if (scenarios.length === 0) continue;
    const told = new Map<string, () => void>();
    for (const { scenario, waits } of readiness) {
      waits.push(new Promise((resolve) => told.set(scenario, resolve)));
    }
    // Ready, or past it, or gone: nobody is waited for twice.
    const session = runSession(client, relay.url, scenarios, results, (line) =>
      told.get(line.slice(line.indexOf(' ') + 1))?.(),
    );
    running.push(
      session.then(() => {
        for (const tell of told.values()) tell();
      }),
    );
  }
  for (const [index, { signal }] of wanted.entries()) {
    await Promise.all(readiness[index]?.waits ?? []);
    await server.restart(signal);
    relay.targetPort = portOf(server);
  }
  await Promise.all(running);
  await relay.stop();
}

function portOf(server: LocalServer): number {
  return Number(new URL(server.url).port);
}

async function runSession(
  client: InteropClientEntry,
  url: string,
  scenarios: readonly ScenarioName[],
  results: Results,
  onLine: (line: string) => void = () => undefined,
): Promise<void> {
  if (scenarios.length === 0) return;
  const { succeeded, failed, complaint } = await play(client, url, scenarios, { onLine });
  for (const scenario of scenarios) results.record(client, scenario, !failed.includes(scenario));
  if (failed.length > 0) results.explain(`${client.name}: ${failed.join(', ')}`, complaint);
  else if (!succeeded) results.trouble(client.name, `all done, but then: ${complaint}`);
}

interface PlayOptions {
  /** Given every line that the session prints. */
  readonly onLine?: (line: string) => void;
  /** Added to its environment. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs a session to its end; which scenarios are not done, and why. */
async function play(
  client: InteropClientEntry,
  url: string,
  scenarios: readonly ScenarioName[],
  { onLine = () => undefined, variables = {} }: PlayOptions,
): Promise<CommandResult & { readonly failed: readonly ScenarioName[] }> {
  const name = `interop-${randomBytes(4).toString('hex')}`;
  const done = new Set<string>();
  const result = await runCommand(
    [...client.session, url, name, ...scenarios],
    (line) => {
      if (line.startsWith('done ')) done.add(line.slice('done '.length));
      onLine(line);
    },
    variables,
  );
  return { ...result, failed: scenarios.filter((scenario) => !done.has(scenario)) };
}

await main();
