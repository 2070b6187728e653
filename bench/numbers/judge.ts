/** Whether a figure of the comparison reaches what it must. */
import type { Verdict } from '../storage/figure.ts';
import type { RowOutcome } from './measure-rows.ts';
import type { RowFigure } from './row-figure.ts';

/** Our event loop must not be later than this to 99 % of what is due, in any row. */
export const LOOP_DELAY_P99_MS_MAX = 20;

/** A figure beside what it is compared with. */
export interface Judged {
  /** The goal in words; empty where there is none, or the broker is not ours. */
  readonly mustReach: string;
  /** Empty where nothing is judged. */
  readonly verdict: Verdict | '';
  /** The median as a multiple of the last broker's; null for that one itself, or without one. */
  readonly timesTheLast: number | null;
}

/** Judges a figure of `outcome`, which is one of `outcomes`. */
export function judge(
  figure: RowFigure,
  outcome: RowOutcome,
  outcomes: readonly RowOutcome[],
): Judged {
  const { row, contestant } = outcome;
  const other = referenceOf(figure, outcome, outcomes);
  const times =
    other === null || figure.median === null || other.median === 0
      ? null
      : figure.median / other.median;
  if (!contestant.target.isOurs) return { mustReach: '', verdict: '', timesTheLast: times };
  const { mustReach } = figure.figure;
  const loopDelayMs = figure.medianCost('loopDelayP99Ms') ?? 0;
  const verdict = loopDelayMs > LOOP_DELAY_P99_MS_MAX ? 'FAIL' : figure.figure.verdict;
  const timesMin = outcome.figures[0] === figure ? row.timesTheLast : undefined;
  if (other?.isBroker !== true || times === null || timesMin === undefined) {
    return { mustReach, verdict: verdict === 'not judged' ? '' : verdict, timesTheLast: times };
  }
  return {
    mustReach: `${mustReach}; ${timesMin} times ${other.name}`,
    verdict: times < timesMin ? 'FAIL' : verdict,
    timesTheLast: times,
  };
}

/** Whether every row that was not skipped was measured, and ours reaches what it must. */
export function isAllReached(outcomes: readonly RowOutcome[]): boolean {
  return outcomes.every(
    (outcome) =>
      outcome.skipped !== null ||
      (outcome.failure === null &&
        outcome.figures.every((figure) => judge(figure, outcome, outcomes).verdict !== 'FAIL')),
  );
}

/** The same figure of the last broker; null where that is the one of `outcome`, or it has none. */
function referenceOf(
  figure: RowFigure,
  outcome: RowOutcome,
  outcomes: readonly RowOutcome[],
): { readonly name: string; readonly isBroker: boolean; readonly median: number } | null {
  const last = outcomes.findLast((other) => other.row === outcome.row);
  if (last === undefined || last.contestant.target === outcome.contestant.target) return null;
  const median = last.figures.find((other) => other.figure.what === figure.figure.what)?.median;
  if (median === undefined || median === null) return null;
  const { name, target } = last.contestant;
  return { name, isBroker: target.isBroker, median };
}
