/** A figure of the comparison: what is measured and judged, and beside it what it cost. */
import { Figure, type Goal, type Unit } from '../storage/figure.ts';
import { spreadOf } from './samples.ts';

/** What one measurement cost; null where that is unknown. */
export interface Cost {
  /** CPU time of all the broker's processes for a message or operation. */
  readonly serverNsPerMessage: number | null;
  readonly generatorNsPerMessage: number | null;
  /** CPU time of the generator as a share of one core. */
  readonly generatorShare: number | null;
  /** What the broker occupied at the end. */
  readonly serverMemoryBytes: number | null;
  /** 99 % of what was due in the broker's event loop came no later. */
  readonly loopDelayP99Ms: number | null;
}

/** More messages than this left in the queues at the end, and they were not short. */
const SHORT_QUEUE_MESSAGES_MAX = 250_000;

/** Samples with their costs. */
export class RowFigure {
  readonly figure: Figure;
  readonly costs: Cost[];
  /** What else is to be known, once each. */
  readonly remarks: string[];

  constructor(what: string, unit: Unit, goal: Goal) {
    this.figure = new Figure(what, unit, goal);
    this.costs = [];
    this.remarks = [];
  }

  add(sample: number, cost?: Cost): void {
    this.figure.add(sample);
    if (cost !== undefined) this.costs.push(cost);
  }

  remark(text: string): void {
    if (!this.remarks.includes(text)) this.remarks.push(text);
  }

  /** Tells when of `count` messages that were published too many are `left`: the rate was not sustained then. */
  remarkOnLeft(left: number, count: number): void {
    if (left <= SHORT_QUEUE_MESSAGES_MAX) return;
    this.remark(`not sustained: ${((100 * left) / count).toFixed(0)} % left in the queue`);
  }

  /** The median of the samples; null without any. */
  get median(): number | null {
    return this.figure.values.length === 0 ? null : spreadOf(this.figure.values).median;
  }

  /** The median of one of the costs; null where it is not known of any sample. */
  medianCost(cost: keyof Cost): number | null {
    const known = this.costs.map((of) => of[cost]).filter((value) => value !== null);
    return known.length === 0 ? null : spreadOf(known).median;
  }
}
