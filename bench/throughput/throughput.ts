/**
 * One run of load against a broker, from declaring the queues to the figures.
 *
 * The clock starts with the first publish or consume. Publishing ends when the broker has handled the
 * last publish (it answers the close of the channel, and with confirms has confirmed all), so that what
 * lies in socket buffers is never counted for free; consuming ends with the last delivery counted.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.ts';
import { countReady, declareQueues, hasOwnQueues, sumOf } from './load-queues.ts';
import type { ThroughputOptions } from './throughput-options.ts';
import type { ThroughputResult } from './throughput-result.ts';
import { isVerified, type VerificationResult } from './verification.ts';
import { type ThroughputObserver, watchProgress } from './watch-progress.ts';

export type { ThroughputResult } from './throughput-result.ts';

/** A verified run of so many messages waits for the last of them, but not longer than this for any. */
const LAST_MESSAGES_LIMIT_MS = 2000;
const LOOK_INTERVAL_MS = 20;
/** How long a broker may take to count what it has answered for. */
const SETTLE_LIMIT_MS = 5000;

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
  const broker = await declareQueues(options);
  const load = new Load(options);
  try {
    await load.connect();
    const figures = await measure(load, options, observer);
    const verification = await verify(load, options);
    const ready = await countReady(options.uri, options.queues);
    return { broker, ...figures, verification, ready: sumOf(ready) };
  } finally {
    await load.close();
  }
}

type Figures = Omit<ThroughputResult, 'broker' | 'ready' | 'verification'>;

async function measure(
  load: Load,
  options: ThroughputOptions,
  observer: ThroughputObserver | null,
): Promise<Figures> {
  const watch = watchProgress(load, options.durationMs, observer);
  const { warmUpMs } = options;
  const warmUp = warmUpMs > 0 ? setTimeout(() => load.clearLatencies(), warmUpMs) : null;
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const secondsSoFar = (): number => (performance.now() - startedMs) / 1000;
  const stop = Promise.race([watch.whenEnded, load.whenCountsReached]);
  let behindSchedule = 0;
  // It is taken in the turn in which the end is known, before the producers hear of it.
  const whenStopped = stop.then(() => {
    if (options.publishCountMax === 0) behindSchedule = load.behindSchedule;
  });
  const work = Promise.all([
    load.publish(whenStopped).then(secondsSoFar),
    load
      .consume(whenStopped)
      .then(() => ({ consumed: load.consumed, consumeSeconds: secondsSoFar() })),
  ]);
  const failed = load.whenFailed.then((error) => Promise.reject(error));
  const unlessItFails = <Result>(promise: Promise<Result>): Promise<Result> =>
    Promise.race([promise, failed, watch.whenStalled]);
  try {
    const [publishSeconds, { consumed, consumeSeconds }] = await unlessItFails(work);
    const isEnded = observer?.signal.aborted === true;
    if (seesLastMessages(options, isEnded)) await unlessItFails(awaitLastMessages(load));
    await unlessItFails(load.finishConsumers());
    const cpu = process.cpuUsage(cpuBefore);
    const pacingSeconds = load.pacingIdleMs / 1000;
    const cpuSeconds = Math.max(0, (cpu.user + cpu.system) / 1e6 - pacingSeconds);
    const { published, confirmed, nacked, committed } = load;
    const answered = load.confirmLatencyUs.summary();
    return {
      elapsedSeconds: secondsSoFar(),
      published,
      publishSeconds,
      publishRate: perSecond(published, publishSeconds),
      consumed,
      consumeSeconds,
      consumeRate: perSecond(consumed, consumeSeconds),
      confirmed,
      nacked,
      committed,
      confirmLatency: options.confirmWindow > 0 ? answered : null,
      commitLatency: options.publishTransaction > 0 ? answered : null,
      latency: load.latencyUs.summary(),
      behindSchedule,
      generatorCpuSeconds: cpuSeconds,
      generatorCpuShare: cpuSeconds / secondsSoFar(),
      generatorCpuNsPerMessage: (cpuSeconds * 1e9) / Math.max(1, published, load.consumed),
      generatorPacingSeconds: pacingSeconds,
    };
  } finally {
    if (warmUp !== null) clearTimeout(warmUp);
    watch.end();
  }
}

/**
 * Whether what is on its way when publishing ends is to be seen as well: all of a number of messages, and what lies in
 * queues that are gone with their consumers, so that nobody can count it afterwards.
 */
function seesLastMessages(options: ThroughputOptions, isInterrupted: boolean): boolean {
  if (options.consumeCountMax > 0) return false;
  return hasOwnQueues(options) || (options.publishCountMax > 0 && !isInterrupted);
}

/** Waits for the last messages of a run that is verified. */
async function awaitLastMessages(load: Load): Promise<void> {
  const { verification } = load;
  if (verification === null) return;
  let consumedBefore = -1;
  let movedMs = performance.now();
  while (!verification.isComplete(load.publishedByProducer)) {
    if (load.consumed !== consumedBefore) movedMs = performance.now();
    else if (performance.now() - movedMs > LAST_MESSAGES_LIMIT_MS) return;
    consumedBefore = load.consumed;
    await delay(LOOK_INTERVAL_MS);
  }
}

/** Compares what came with what was published and with what the queues say is left in them. */
async function verify(
  load: Load,
  { uri, queues }: ThroughputOptions,
): Promise<VerificationResult | null> {
  const { verification } = load;
  if (verification === null) return null;
  const untilMs = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const ready = await countReady(uri, queues);
    const result = verification.result(load.publishedByProducer, ready);
    // A queue may hear of its messages only after their publisher was answered.
    if (isVerified(result) || result.missing === 0 || performance.now() > untilMs) return result;
    await delay(10 * LOOK_INTERVAL_MS);
  }
}

function perSecond(count: number, seconds: number): number {
  return count === 0 ? 0 : count / seconds;
}
