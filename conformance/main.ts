/**
 * `npm run conformance`: starts a broker, runs every scenario against it in tap, prints what differs.
 *
 *     -- [--target firnmq|rabbitmq] [--tls] [--url amqp://...] [--list] [FILTER ...]
 *
 * With `--tls` our server is spoken to over AMQPS. With a URL nothing is started; where that is one of AMQPS, Node.js
 * must know the authority (NODE_EXTRA_CA_CERTS). With `--list` nothing is run: it prints the titles. A filter is a part of a file's path, such as `queue/declare`.
 * The last line is `N passed, N failed`; the exit code is 0 only when nothing failed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { startFirnmq } from './firnmq.ts';
import { startRabbitmq } from './rabbitmq.ts';
import { brokerAt, type RunningBroker } from './running-broker.ts';
import { listScenarios, scenarioFiles } from './scenario-list.ts';
import { summarize } from './summary.ts';
import { toVariables } from './support/environment.ts';
import { type Outcome, readOutcomes } from './support/outcome.ts';
import { AUTHORITY_PATH, trustVariables } from './support/tls-files.ts';
import { TARGET_NAMES, type TargetName } from './targets.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Scenario processes at a time, as there are cores on the smallest machine. */
const JOBS = 2;

/** What the command line asks for. */
interface Request {
  readonly target: TargetName;
  /** Over AMQPS, where a broker is started. */
  readonly tls: boolean;
  /** A broker that runs already; null: one is started. */
  readonly url: string | null;
  /** Only say which scenarios there are. */
  readonly list: boolean;
  readonly files: readonly string[];
}

/** @throws Error that says what is wrong with the command line; commander ends the process where it knows */
function readCommandLine(): Request {
  const command = new Command('conformance')
    .description('runs the scenarios against a broker, and prints what differs')
    .argument('[filters...]', 'parts of the paths of the files to run, such as queue/declare')
    .addOption(
      new Option('--target <name>', 'broker to start, or of which kind the one at --url is')
        .choices(TARGET_NAMES)
        .default('firnmq'),
    )
    .option('--tls', 'speak to our server over AMQPS', false)
    .option('--url <url>', 'broker that runs already: nothing is started')
    .option('--list', 'print the titles of the scenarios, and run none', false)
    .parse();
  const { target, tls, url, list } = command.opts<{
    target: TargetName;
    tls: boolean;
    url?: string;
    list: boolean;
  }>();
  if (tls && (target !== 'firnmq' || url !== undefined)) {
    throw new Error('--tls is for the server that is started here: firnmq, without a URL');
  }
  const files = scenarioFiles(command.args);
  if (files.length === 0) throw new Error(`no scenario file matches ${command.args.join(', ')}`);
  return { target, tls, url: url ?? null, list, files };
}

function startBroker({ target, tls, url }: Request): Promise<RunningBroker> {
  if (url !== null) return Promise.resolve(brokerAt(url));
  return target === 'firnmq' ? startFirnmq(tls) : startRabbitmq();
}

/** Runs the files in tap; resolves with its exit code. */
function runTap(
  files: readonly string[],
  variables: Record<string, string>,
): Promise<number | null> {
  const tap = createRequire(import.meta.url).resolve('tap/package.json');
  const program = join(dirname(tap), 'dist', 'esm', 'run.mjs');
  const args = [program, '--disable-coverage', '--reporter=min', `--jobs=${JOBS}`, ...files];
  const environment = { ...process.env, ...variables };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: environment, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

/** Runs the scenarios against a broker that is up; answers with what happened outside of them, too. */
async function runScenarios(
  request: Request,
  broker: RunningBroker,
): Promise<{ outcomes: Outcome[]; troubles: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-conformance-'));
  const outcomeFile = join(directory, 'outcomes');
  writeFileSync(outcomeFile, '');
  const { url, hasUsers } = broker;
  const exitCode = await runTap(request.files, {
    ...toVariables({ url, hasUsers, target: request.target, outcomeFile }),
    ...(request.tls ? trustVariables(AUTHORITY_PATH) : {}),
  });
  const outcomes = readOutcomes(outcomeFile);
  rmSync(directory, { recursive: true });
  const explained = outcomes.some(({ result }) => result === 'failed');
  const troubles = exitCode === 0 || explained ? [] : [`tap ended with code ${exitCode}`];
  return { outcomes, troubles };
}

async function main(): Promise<number> {
  const request = readCommandLine();
  if (request.list) {
    for (const { title } of listScenarios(request.files)) console.log(title);
    return 0;
  }
  // Whoever starts a broker ends it when this process exits; a signal must be such an exit.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const broker = await startBroker(request);
  console.log(`${request.target} at ${broker.url} (${broker.description})`);
  const { outcomes, troubles } = await runScenarios(request, broker);
  const complaint = await broker.stop();
  if (complaint !== null) troubles.push(complaint);
  const summary = summarize(request.target, outcomes, troubles);
  console.log(summary.text);
  return summary.failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
