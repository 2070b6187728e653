/** Plays one scenario and measures what those wait who ask little. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatencyHistogram, type LatencySummary } from '../throughput/latency-histogram.ts';
import { Bystander } from './bystander.ts';
import { FairnessStage, type ServerLoop, type StageCores } from './fairness-stage.ts';
import { type FairnessScenario, scaled } from './scenarios.ts';

/** Nobody waits longer for a turn ... */
export const WAIT_MS_MAX = 50;
/** ... and the server's event loop lets others wait so long in one case of a hundred. */
export const LOOP_P99_MS_MAX = 20;
/** An equal consumer gets at least this part of what another one gets. */
export const SHARE_MIN = 0.8;

/** Until V8 has compiled what the load takes: those who wait then are told of apart. */
const COLD_MS = 500;

/** When somebody asks the HTTP side for the first time, as a share of the time that counts. */
const ASKED_AFTER = 0.1;

/** How a scenario is played. */
export interface FairnessSettings {
  /** How long bystanders are watched, in milliseconds. */
  readonly durationMs: number;
  /** Multiplies connections and messages waiting; 1 is what the titles say. */
  readonly scale: number;
  readonly cores: StageCores;
}

/** What was measured. */
export interface FairnessOutcome {
  readonly scenario: FairnessScenario;
  /** From a bystander's publish to its delivery. */
  readonly waits: LatencySummary;
  /** The longest of them in the first moments of the load, in milliseconds; 0: nobody sent anything then. */
  readonly coldMaxMs: number;
  readonly loop: ServerLoop;
  /** What the consumer that got least got, as a share of what the one that got most did; null without. */
  readonly leastShare: number | null;
}

/** Whether everybody had a fair share. */
export function isFair({ waits, loop, leastShare }: FairnessOutcome): boolean {
  return (
    waits.maxMs <= WAIT_MS_MAX &&
    loop.p99Ms <= LOOP_P99_MS_MAX &&
    (leastShare === null || leastShare >= SHARE_MIN)
  );
}

/**
 * Plays a scenario against a server of its own.
 *
 * @throws Error when the server or a bystander fails, or a bystander is forgotten
 */
export async function measureScenario(
  scenario: FairnessScenario,
  { durationMs, scale, cores }: FairnessSettings,
): Promise<FairnessOutcome> {
  const stage = await FairnessStage.open(cores);
  const bystanders: Bystander[] = [];
  try {
    const latencies = new LatencyHistogram();
    const cold = new LatencyHistogram();
    let warmMs = Number.POSITIVE_INFINITY;
    const onPassed = (sentMs: number, deliveredMs: number): void =>
      (sentMs < warmMs ? cold : latencies).record((deliveredMs - sentMs) * 1000, 1);
    for (let i = 0; i < scaled(scenario.bystanders, scale); i++) {
      bystanders.push(await Bystander.open(stage.uri, `bystander.${i}`, onPassed));
    }
    const load = await scenario.begin(stage, scale);
    warmMs = performance.now() + COLD_MS;
    const endMs = warmMs + durationMs;
    await Promise.all([
      ...bystanders.map((one) => one.run(scenario.pauseMs, () => performance.now() >= endMs)),
      sleep(COLD_MS + durationMs),
      // Somebody looks in on the server meanwhile: what answers is loaded by the first request.
      sleep(COLD_MS + durationMs * ASKED_AFTER).then(() => stage.readLoop()),
    ]);
    const counts = load.deliveryCounts();
    const leastShare = counts.length === 0 ? null : Math.min(...counts) / Math.max(...counts);
    const loop = await stage.readLoop();
    const waits = latencies.summary();
    if (waits === null) throw new Error('no bystander sent anything');
    const coldMaxMs = cold.summary()?.maxMs ?? 0;
    return { scenario, waits, coldMaxMs, loop, leastShare };
  } finally {
    await Promise.all(bystanders.map((one) => one.close()));
    await stage.close();
  }
}
