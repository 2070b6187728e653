/** Runs a churn: each series in turn, by several connections at once, each waiting for every reply of its own. */
import { performance } from 'node:perf_hooks';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { createReadBuffer } from '../amqp/bench-connection.ts';
import type { LiveReport } from '../live-report.ts';
import { type OperationFigure, OperationMeter } from '../operations/operation-meter.ts';
import { runLanes } from '../operations/run-lanes.ts';
import { stayAwake } from '../operations/stay-awake.ts';
import { type OperationLimits, watchOperations } from '../operations/watch-operations.ts';
import type { ChurnSeries, ChurnWorker } from './churn-scenario.ts';

/** How long and how often; the limits are those of each series. */
export interface ChurnOptions extends OperationLimits {
  readonly uri: AmqpUri;
  readonly connections: number;
  /** Whether it never sleeps while it waits for replies. */
  readonly staysAwake: boolean;
}

/** What a churn found. */
export interface ChurnResult {
  /** Product and version as the broker names them. */
  readonly broker: string;
  readonly connections: number;
  readonly figures: readonly OperationFigure[];
}

/**
 * Runs the series one behind the other.
 *
 * @param signal ends the step under way, and what is undone behind it, early
 * @throws Error when the broker cannot be reached, or closes a channel or connection
 */
export async function runChurn(
  serieses: readonly ChurnSeries[],
  options: ChurnOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<ChurnResult> {
  const target = { uri: options.uri, readBuffer: createReadBuffer() };
  const figures: OperationFigure[] = [];
  let broker = '';
  for (const series of serieses) {
    if (signal.aborted) break;
    const workers: ChurnWorker[] = [];
    const sleepAgain = options.staysAwake ? stayAwake() : () => {};
    try {
      for (let i = 0; i < options.connections; i++) workers.push(await series.open(target));
      broker = workers[0]?.broker ?? '';
      figures.push(...(await runSeries(series, workers, options, report, signal)));
    } finally {
      sleepAgain();
      await Promise.all(workers.map((worker) => worker.close()));
    }
  }
  return { broker, connections: options.connections, figures };
}

async function runSeries(
  { names }: ChurnSeries,
  workers: readonly ChurnWorker[],
  options: ChurnOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<OperationFigure[]> {
  const figures: OperationFigure[] = [];
  let counts = workers.map(() => Number.POSITIVE_INFINITY);
  for (const [step, name] of names.entries()) {
    const meter = new OperationMeter(name);
    const limits = step === 0 ? options : { countMax: sum(counts), durationMs: 0 };
    const untilMs =
      limits.durationMs > 0 ? performance.now() + limits.durationMs : Number.POSITIVE_INFINITY;
    // Claimed before it is done, so that together the workers do exactly so many.
    let left = limits.countMax > 0 ? limits.countMax : Number.POSITIVE_INFINITY;
    const done = workers.map(() => 0);
    const work = runLanes(workers.length, signal, async (lane) => {
      const index = done[lane]!;
      if (left === 0 || index === counts[lane] || performance.now() >= untilMs) return false;
      left--;
      await meter.time(() => workers[lane]!.steps[step]!(index));
      done[lane] = index + 1;
      return true;
    });
    await watchOperations(meter, report, limits, work);
    counts = done;
    figures.push(meter.figure());
  }
  return figures;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
