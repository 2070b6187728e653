/** Runs every row against one broker, several times over, the generator being a process of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, deleteQueue } from '../amqp/control.ts';
import { PinnedProcess } from '../targets/pinned-process.ts';
import type { RunningTarget, Target } from '../targets/target.ts';
import type { ThroughputResult } from '../throughput/throughput.ts';
import type { Row } from './rows.ts';

const GENERATOR_MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const QUEUE = 'firnmq-bench';
const SETTLE_INTERVAL_MS = 100;
const SETTLE_ATTEMPTS_MAX = 300;

/** How long and how often. */
export interface MeasureOptions {
  readonly repeats: number;
  readonly seconds: number;
  readonly generatorCore: number;
  /** Ends the measurement, and the broker with it, after the run that is under way. */
  readonly signal: AbortSignal;
  /** Told what is going on. */
  readonly onStep: (text: string) => void;
}

/** One run of one row. */
export interface RunSample {
  readonly rate: number;
  /** null where the broker's CPU time is unknown. */
  readonly serverCpuNsPerMessage: number | null;
  readonly result: ThroughputResult;
}

/** All that was measured of one broker. */
export interface TargetSamples {
  readonly name: string;
  /** Product and version as it names itself. */
  readonly broker: string;
  /** Empty where it ran already. */
  readonly startupMs: readonly number[];
  /** By the id of the row. */
  readonly runs: ReadonlyMap<string, readonly RunSample[]>;
}

/**
 * Measures a broker: start-up on an empty directory as often as the rows, then the rows in turn, all of
 * them in every repeat.
 *
 * @throws Error when a run fails or is ended by the signal, or messages are missing between publishing
 *   and consuming.
 */
export async function measureTarget(
  target: Target,
  rows: readonly Row[],
  options: MeasureOptions,
): Promise<TargetSamples> {
  const startupMs: number[] = [];
  for (let i = 1; i < options.repeats; i++) {
    const started = await target.start();
    await started.stop();
    if (started.startupMs === null) break;
    startupMs.push(started.startupMs);
  }
  const running = await target.start();
  if (running.startupMs !== null) startupMs.push(running.startupMs);
  try {
    const runs = new Map<string, RunSample[]>(rows.map((row) => [row.id, []]));
    for (let repeat = 1; repeat <= options.repeats; repeat++) {
      options.onStep(`${target.name}: repeat ${repeat} of ${options.repeats}`);
      for (const [id, sample] of await measureRows(running, rows, options)) {
        runs.get(id)?.push(sample);
      }
    }
    const broker = [...runs.values()][0]?.[0]?.result.broker ?? '';
    return { name: target.name, broker, startupMs, runs };
  } finally {
    await running.stop();
  }
}

async function measureRows(
  running: RunningTarget,
  rows: readonly Row[],
  options: MeasureOptions,
): Promise<Map<string, RunSample>> {
  const samples = new Map<string, RunSample>();
  for (const row of rows) {
    const source = row.drains === null ? undefined : samples.get(row.drains);
    if (row.drains !== null && source === undefined) continue;
    const limit =
      source === undefined
        ? ['-z', String(options.seconds)]
        : ['-D', String(source.result.published)];
    options.signal.throwIfAborted();
    const sample = await measureRow(running, row, limit, options.generatorCore);
    samples.set(row.id, sample);
    const isDrainedNext = rows.some((other) => other.drains === row.id);
    await control(running.uri, (connection) =>
      isDrainedNext
        ? awaitReady(connection, sample.result.published)
        : deleteQueue(connection, QUEUE),
    );
  }
  return samples;
}

async function measureRow(
  running: RunningTarget,
  row: Row,
  limit: readonly string[],
  core: number,
): Promise<RunSample> {
  const { host, port, username, password, vhost } = running.uri;
  const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
  const uri = `amqp://${login}@${host}:${port}/${encodeURIComponent(vhost)}`;
  const flags = ['throughput', '-j', '--uri', uri, '-u', QUEUE, ...row.flags, ...limit];
  const cpuBefore = running.cpuSeconds();
  const generator = await PinnedProcess.spawn(core, [process.execPath, GENERATOR_MAIN, ...flags]);
  const result = parseResult(await generator.readOutput());
  const cpuAfter = running.cpuSeconds();
  const messages = Math.max(result.published, result.consumed);
  return {
    rate: row.rate(result),
    serverCpuNsPerMessage:
      cpuBefore === null || cpuAfter === null ? null : ((cpuAfter - cpuBefore) * 1e9) / messages,
    result,
  };
}

function parseResult(output: string): ThroughputResult {
  const parsed: unknown = JSON.parse(output);
  if (!isResult(parsed)) throw new Error(`not a result of the generator: ${output}`);
  return parsed;
}

function isResult(value: unknown): value is ThroughputResult {
  return typeof value === 'object' && value !== null && 'generatorCpuNsPerMessage' in value;
}

async function control(
  uri: AmqpUri,
  use: (connection: BenchConnection) => Promise<unknown>,
): Promise<void> {
  const connection = await BenchConnection.open(uri, 'firnmqperf numbers');
  try {
    await use(connection);
  } finally {
    await connection.close();
  }
}

/** Waits until `count` messages are ready: a broker may answer before the last one is in its queue. */
async function awaitReady(connection: BenchConnection, count: number): Promise<void> {
  let ready = -1;
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt++) {
    ready = await declareQueue(connection, QUEUE, true);
    if (ready === count) return;
    await delay(SETTLE_INTERVAL_MS);
  }
  throw new Error(`${count} messages were published, but ${ready} are ready`);
}
