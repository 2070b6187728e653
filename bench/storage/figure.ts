/** One measured figure: its samples, what it must reach, and whether it does. */
import { spreadOf } from '../numbers/samples.ts';
import type { CpuShares } from './timed.ts';

/** Samples are kept in the unit that is shown; MB and GB are 10^6 and 10^9 octets, `/s` are operations. */
export type Unit = 'MB' | 'files' | 'ms' | 'us' | 's' | 'msg/s' | '/s' | 'GB/s' | 'times';

/** A bound for the median of the samples, or for every one of them; null: shown, not judged. */
export type Goal = {
  readonly kind: 'at most' | 'at least';
  readonly bound: number;
  readonly of: 'median' | 'every sample';
} | null;

/** Whether a figure reaches its goal. */
export type Verdict = 'pass' | 'FAIL' | 'not judged';

/** Above this share of a core the generator was the limit, and the figure says little about the server. */
const GENERATOR_SHARE_MAX = 0.9;

/** Collects the samples of one figure. */
export class Figure {
  readonly what: string;
  readonly unit: Unit;
  readonly goal: Goal;
  private readonly samples: number[];
  private readonly cpu: CpuShares[];
  private readonly notes: Map<string, number[]>;

  constructor(what: string, unit: Unit, goal: Goal) {
    this.what = what;
    this.unit = unit;
    this.goal = goal;
    this.samples = [];
    this.cpu = [];
    this.notes = new Map();
  }

  /** @param cpu what it cost, where that tells who was the limit */
  add(sample: number, cpu?: CpuShares): void {
    this.samples.push(sample);
    if (cpu !== undefined) this.cpu.push(cpu);
  }

  /** A value beside the samples, in the same unit, of which the remarks tell the median. */
  note(name: string, value: number): void {
    this.notes.set(name, [...(this.notes.get(name) ?? []), value]);
  }

  get values(): readonly number[] {
    return this.samples;
  }

  get verdict(): Verdict {
    if (this.samples.length === 0) return 'FAIL';
    if (this.goal === null) return 'not judged';
    const { kind, bound, of } = this.goal;
    const { median, min, max } = spreadOf(this.samples);
    const worst = kind === 'at most' ? max : min;
    const judged = of === 'median' ? median : worst;
    return (kind === 'at most' ? judged <= bound : judged >= bound) ? 'pass' : 'FAIL';
  }

  /** The goal in words. */
  get mustReach(): string {
    if (this.goal === null) return '';
    const { kind, bound, of } = this.goal;
    const words = of === 'median' ? kind : `${kind}, every time,`;
    return `${words} ${formatValue(bound, this.unit)}`;
  }

  /** Median and range of the samples. */
  get measured(): string {
    if (this.samples.length === 0) return 'nothing';
    const { median, min, max } = spreadOf(this.samples);
    const middle = formatValue(median, this.unit);
    if (this.samples.length === 1) return middle;
    return `${middle} (${formatValue(min, this.unit)} to ${formatValue(max, this.unit)})`;
  }

  /** What belongs to the figure, and what is to be held against it. */
  get remarks(): string {
    const found = [...this.notes].map(
      ([name, values]) => `${name} ${formatValue(spreadOf(values).median, this.unit)}`,
    );
    if (this.cpu.length > 0) {
      const server = spreadOf(this.cpu.map((shares) => shares.server)).median;
      const generator = spreadOf(this.cpu.map((shares) => shares.generator)).median;
      const limit = generator > GENERATOR_SHARE_MAX ? ': it was the limit' : '';
      found.push(
        `server ${(100 * server).toFixed(0)} % of a core`,
        `generator ${(100 * generator).toFixed(0)} %${limit}`,
      );
    }
    return found.join(', ');
  }
}

/** A value for people. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 'MB':
      return `${value.toFixed(1)} MB`;
    case 'files':
      return `${Math.round(value)} files`;
    case 'ms':
      return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
    case 'us':
      return `${value.toFixed(0)} us`;
    case 's':
      return `${value.toFixed(3)} s`;
    case 'msg/s':
      return value < 1e5 ? `${(value / 1e3).toFixed(1)} k/s` : `${(value / 1e6).toFixed(2)} M/s`;
    case '/s':
      return `${Math.round(value)}/s`;
    case 'GB/s':
      return `${value.toFixed(2)} GB/s`;
    case 'times':
      return value.toFixed(2);
  }
}
