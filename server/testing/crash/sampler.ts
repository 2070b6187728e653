/**
 * Keeps the states of a disk at steps that a crash may be put on: one for each kind of step and for each kind of record
 * at stake, any of them with the same chance. So a kind that comes once in a life is as likely to be chosen as one
 * that comes a hundred times, and one run of the work serves for many crashes.
 */
import type { Random } from '../random.ts';
import type { SimulatedFs, WatchedStep } from '../simulated-fs.ts';
import { recordKindsIn } from './record-kinds.ts';

/** A moment at which everything may end. */
export interface CrashPoint {
  readonly stepKind: string;
  /** Whether the step had taken effect, or was about to. */
  readonly phase: WatchedStep['phase'];
  /** Number of the step in its life. */
  readonly step: number;
  readonly recordKinds: readonly string[];
  /** The machine as it was. */
  readonly fs: SimulatedFs;
  /** What clients knew: so many events of the life. */
  readonly eventCount: number;
}

/** Names a step; null: none. */
export type StepNamer = (fs: SimulatedFs, step: WatchedStep) => string | null;

/** Watches a machine. */
export class Sampler {
  private readonly fs: SimulatedFs;
  private readonly random: Random;
  private readonly name: StepNamer;
  private readonly eventCount: () => number;
  private readonly seen: Map<string, number>;
  private readonly kept: Map<string, CrashPoint>;

  /** `eventCount` tells how much clients know at the moment. */
  constructor(fs: SimulatedFs, random: Random, name: StepNamer, eventCount: () => number) {
    this.fs = fs;
    this.random = random;
    this.name = name;
    this.eventCount = eventCount;
    this.seen = new Map();
    this.kept = new Map();
    fs.onStep = (step) => this.look(step);
  }

  /** Takes out the moment of the kind that was hit least so far, and not more than `hitsMax` times; null: none. */
  takeRarest(hitsOf: (kind: string) => number, hitsMax: number): CrashPoint | null {
    const kinds = [...this.kept.keys()].sort((a, b) => hitsOf(a) - hitsOf(b));
    const [rarest] = kinds;
    if (rarest === undefined || hitsOf(rarest) > hitsMax) return null;
    const point = this.kept.get(rarest)!;
    for (const kind of kinds) if (this.kept.get(kind) === point) this.kept.delete(kind);
    return point;
  }

  private look(step: WatchedStep): void {
    const stepKind = this.name(this.fs, step);
    if (stepKind === null) return;
    const recordKinds = recordKindsIn(this.fs.unsyncedWrites());
    const wantedBy = [stepKind, ...recordKinds].filter((kind) => this.isWanted(kind));
    if (wantedBy.length === 0) return;
    const point: CrashPoint = {
      stepKind,
      phase: step.phase,
      step: this.fs.steps,
      recordKinds,
      fs: this.fs.copy(),
      eventCount: this.eventCount(),
    };
    for (const kind of wantedBy) this.kept.set(kind, point);
  }

  /** The n-th moment of a kind takes the place of the one kept with a chance of one in n. */
  private isWanted(kind: string): boolean {
    const times = 1 + (this.seen.get(kind) ?? 0);
    this.seen.set(kind, times);
    return this.random.below(times) === 0;
  }
}
