/**
 * One run of load against a broker, from declaring the queue to the figures.
 *
 * The clock starts with the first publish or consume. Publishing ends when the broker has handled the
 * last publish (it answers the close of the channel, and with confirms has confirmed all), so that what
 * lies in socket buffers is never counted for free; consuming ends with the last delivery counted.
 */
import { performance } from 'node:perf_hooks';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { bindQueue, declareQueue } from '../amqp/control.ts';
import { type LatencySummary, summarizeLatency } from './latency-histogram.ts';
import { Load } from './load.ts';
import type { ThroughputOptions } from './throughput-options.ts';

/** What a run found. Rates are messages a second. */
export interface ThroughputResult {
  /** Product and version as the broker names them. */
  readonly broker: string;
  readonly published: number;
  readonly publishSeconds: number;
  readonly publishRate: number;
  readonly consumed: number;
  readonly consumeSeconds: number;
  readonly consumeRate: number;
  /** Both 0 where confirms are off. */
  readonly confirmed: number;
  readonly nacked: number;
  readonly confirmLatency: LatencySummary | null;
  /** Messages ready in the queue after the run. */
  readonly ready: number;
  /** CPU time of this process during the run: user and system, all threads. */
  readonly generatorCpuSeconds: number;
  /** The same as a share of one core. */
  readonly generatorCpuShare: number;
  /** The same for a message, one that was published and consumed counting once. */
  readonly generatorCpuNsPerMessage: number;
}

/** How a caller watches a run, and ends it early. */
export interface ThroughputObserver {
  /** Called once a second with the sums so far. */
  readonly onProgress: (published: number, consumed: number) => void;
  /** Ends the run as its duration would. */
  readonly signal: AbortSignal;
}

const PROGRESS_INTERVAL_MS = 1000;
/** A run that nothing moves for so long has lost a message, and would never end. */
const STALLED_INTERVALS_MAX = 30;

/**
 * Runs the load.
 *
 * @throws Error when the broker cannot be reached or closes a channel or connection (with its text), and
 *   when nothing has moved for 30 s.
 */
export async function runThroughput(
  options: ThroughputOptions,
  observer: ThroughputObserver | null = null,
): Promise<ThroughputResult> {
  const control = await BenchConnection.open(options.uri, 'firnmqperf control');
  const load = new Load(options);
  try {
    await declareQueue(control, options.queue, false);
    if (options.exchange !== '') {
      await bindQueue(control, options.queue, options.exchange, options.routingKey);
    }
    await load.connect();
    const figures = await measure(load, options.durationMs, observer);
    const ready = await declareQueue(control, options.queue, true);
    return { broker: control.broker, ...figures, ready };
  } finally {
    await Promise.all([load.close(), control.close()]);
  }
}

async function measure(
  load: Load,
  durationMs: number,
  observer: ThroughputObserver | null,
): Promise<Omit<ThroughputResult, 'broker' | 'ready'>> {
  const watch = watchProgress(load, durationMs, observer);
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const secondsSoFar = (): number => (performance.now() - startedMs) / 1000;
  const stop = Promise.race([watch.whenEnded, load.whenCountsReached]);
  const work = Promise.all([
    load.publish(stop).then(secondsSoFar),
    load.consume(stop).then(() => ({ consumed: load.consumed, consumeSeconds: secondsSoFar() })),
  ]);
  try {
    const failed = load.whenFailed.then((error) => Promise.reject(error));
    const [publishSeconds, { consumed, consumeSeconds }] = await Promise.race([
      work,
      failed,
      watch.whenStalled,
    ]);
    await load.finishConsumers();
    const cpu = process.cpuUsage(cpuBefore);
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    const { published, confirmed, nacked, latencyUs } = load;
    return {
      published,
      publishSeconds,
      publishRate: perSecond(published, publishSeconds),
      consumed,
      consumeSeconds,
      consumeRate: perSecond(consumed, consumeSeconds),
      confirmed,
      nacked,
      confirmLatency: latencyUs.totalCount === 0 ? null : summarizeLatency(latencyUs),
      generatorCpuSeconds: cpuSeconds,
      generatorCpuShare: cpuSeconds / secondsSoFar(),
      generatorCpuNsPerMessage: (cpuSeconds * 1e9) / Math.max(1, published, load.consumed),
    };
  } finally {
    watch.end();
  }
}

function perSecond(count: number, seconds: number): number {
  return count === 0 ? 0 : count / seconds;
}

interface ProgressWatch {
  /** Resolves when the duration is over or the observer says so. */
  readonly whenEnded: Promise<void>;
  /** Rejects when nothing has moved for too long. */
  readonly whenStalled: Promise<never>;
  readonly end: () => void;
}

function watchProgress(
  load: Load,
  durationMs: number,
  observer: ThroughputObserver | null,
): ProgressWatch {
  let endRun = (): void => {};
  let failRun = (_error: Error): void => {};
  const whenEnded = new Promise<void>((resolve) => {
    endRun = resolve;
  });
  const whenStalled = new Promise<never>((_resolve, reject) => {
    failRun = reject;
  });
  let movedBefore = 0;
  let stalledIntervals = 0;
  const ticker = setInterval(() => {
    const { published, consumed } = load;
    const moved = published + consumed + load.confirmed + load.nacked;
    stalledIntervals = moved === movedBefore ? stalledIntervals + 1 : 0;
    movedBefore = moved;
    if (stalledIntervals === STALLED_INTERVALS_MAX) {
      failRun(new Error(`nothing moved for 30 s: ${published} published, ${consumed} consumed`));
    }
    observer?.onProgress(published, consumed);
  }, PROGRESS_INTERVAL_MS);
  const deadline = durationMs > 0 ? setTimeout(endRun, durationMs) : null;
  observer?.signal.addEventListener('abort', endRun);
  return {
    whenEnded,
    whenStalled,
    end: () => {
      clearInterval(ticker);
      if (deadline !== null) clearTimeout(deadline);
      observer?.signal.removeEventListener('abort', endRun);
    },
  };
}
