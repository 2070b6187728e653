/** A live line a second of operations that are being measured. */
import { performance } from 'node:perf_hooks';
import type { LiveReport } from '../live-report.ts';
import type { OperationMeter } from './operation-meter.ts';

const INTERVAL_MS = 1000;

/** Where the operations end: 0 stands for no limit. */
export interface OperationLimits {
  readonly countMax: number;
  readonly durationMs: number;
}

/** Tells of `meter` every second while `work` is under way. */
export async function watchOperations<Result>(
  meter: OperationMeter,
  report: LiveReport,
  { countMax, durationMs }: OperationLimits,
  work: Promise<Result>,
): Promise<Result> {
  const startedMs = performance.now();
  let countBefore = 0;
  let lookedMs = startedMs;
  const ticker = setInterval(() => {
    const nowMs = performance.now();
    const rate = Math.round(((meter.count - countBefore) * 1000) / (nowMs - lookedMs));
    countBefore = meter.count;
    lookedMs = nowMs;
    const p99Ms = meter.takeLatestP99Ms();
    const latency = p99Ms === null ? '' : `, 99 % within ${p99Ms.toFixed(3)} ms`;
    const elapsedMs = nowMs - startedMs;
    const share = countMax > 0 ? meter.count / countMax : elapsedMs / durationMs;
    const text =
      countMax > 0
        ? `${meter.count} of ${countMax}`
        : `${Math.round(elapsedMs / 1000)} of ${durationMs / 1000} s`;
    report.show(`${meter.name} ${rate}/s${latency}`, { share, text });
  }, INTERVAL_MS);
  try {
    return await work;
  } finally {
    clearInterval(ticker);
    report.end();
  }
}
