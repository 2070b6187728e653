/** What crash runs have hit and what they have found, added up and printed. */
import { RECORD_KINDS } from './record-kinds.ts';
import type { CrashFailure, CrashRunResult } from './run.ts';
import { STEP_KINDS } from './step-kinds.ts';

/** From so many crash points on each kind must have been hit {@link HITS_MIN} times. */
const POINTS_THAT_TELL = 2000;
const HITS_MIN = 20;
const FAILURES_SHOWN = 20;
const WRONGS_SHOWN = 8;
/** Of a wrong that comes with the broker's own words only the beginning. */
const WRONG_LENGTH_MAX = 1000;

/** The sum of many runs. */
export class CrashReport {
  points: number;
  readonly failures: CrashFailure[];
  private readonly stepKinds: Map<string, number>;
  private readonly recordKinds: Map<string, number>;

  constructor() {
    this.points = 0;
    this.failures = [];
    this.stepKinds = new Map(STEP_KINDS.map((kind) => [kind, 0]));
    this.recordKinds = new Map(RECORD_KINDS.map((kind) => [kind, 0]));
  }

  add({ points, stepKinds, recordKinds, failure }: CrashRunResult): void {
    this.points += points;
    addAll(this.stepKinds, stepKinds);
    addAll(this.recordKinds, recordKinds);
    if (failure !== null) this.failures.push(failure);
  }

  /** Kinds that were hit too rarely for the run to tell much of them. */
  get missed(): readonly string[] {
    if (this.points < POINTS_THAT_TELL) return [];
    return [...this.stepKinds, ...this.recordKinds]
      .filter(([, hits]) => hits < HITS_MIN)
      .map(([kind, hits]) => `${kind}: ${hits} of ${HITS_MIN}`);
  }

  /** Lines for people. */
  get lines(): readonly string[] {
    return [
      `${this.points} crash points`,
      'by step:',
      ...tableOf(this.stepKinds),
      'by kind of record in bytes that were not stable:',
      ...tableOf(this.recordKinds),
      ...this.missed.map((text) => `FAILED too few hits of ${text}`),
      ...this.failures.slice(0, FAILURES_SHOWN).flatMap(describeFailure),
    ];
  }
}

/** A failure, and how to see it again. */
export function describeFailure({ seed, place, wrongs }: CrashFailure): string[] {
  const shown = wrongs
    .slice(0, WRONGS_SHOWN)
    .map((wrong) => `  ${wrong.slice(0, WRONG_LENGTH_MAX)}`);
  if (wrongs.length > shown.length) shown.push(`  ... ${wrongs.length} in all`);
  return [`FAILED SEED=${seed}: ${place}`, ...shown];
}

function addAll(sums: Map<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [kind, count] of counts) sums.set(kind, count + (sums.get(kind) ?? 0));
}

function tableOf(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].map(([kind, hits]) => `${String(hits).padStart(8)}  ${kind}`);
}
