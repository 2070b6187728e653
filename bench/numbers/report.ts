/** The comparison as a Markdown page: a table with a line for each figure, and the command lines behind it. */
import { formatValue } from '../storage/figure.ts';
import { judge, LOOP_DELAY_P99_MS_MAX } from './judge.ts';
import type { RowOutcome } from './measure-rows.ts';
import type { RowFigure } from './row-figure.ts';
import { spreadOf } from './samples.ts';

const COLUMNS = [
  'row',
  'broker',
  'figure',
  'median',
  'min to max',
  'must reach',
  'verdict',
  'times the last',
  'server CPU ns/msg',
  'generator CPU ns/msg',
  'server memory',
  'loop delay p99',
  'remarks',
];

/** Above this share of a core the generator was the limit, and the figure says little about the broker. */
const GENERATOR_SHARE_MAX = 0.9;

/** @param context where and how it was measured, in lines of text */
export function formatReport(context: readonly string[], outcomes: readonly RowOutcome[]): string {
  const lines = [...context.map((line) => `- ${line}`), ''];
  lines.push(tableLine(COLUMNS), tableLine(COLUMNS.map(() => '---')));
  for (const outcome of outcomes) lines.push(...formatOutcome(outcome, outcomes));
  lines.push('', '## Command lines', '');
  for (const { row, contestant, commands } of outcomes) {
    if (commands.length === 0) continue;
    lines.push(`${row.id}, ${contestant.name}:`, '');
    lines.push(...commands.map((command) => `    ${command}`), '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** The table's lines for a row on a broker. */
export function formatOutcome(outcome: RowOutcome, outcomes: readonly RowOutcome[]): string[] {
  const { row, contestant, figures, failure, skipped } = outcome;
  const lines = figures
    .filter((figure) => figure.median !== null)
    .map((figure) => tableLine(figureCells(figure, outcome, outcomes)));
  const missing = skipped ?? failure;
  if (missing !== null) {
    const verdict = failure !== null && contestant.target.isOurs ? 'FAIL' : '';
    const cells = [row.title, contestant.name, '', '', '', '', verdict, '', '', '', '', ''];
    lines.push(tableLine([...cells, `not measured: ${missing}`]));
  }
  return lines;
}

function figureCells(
  figure: RowFigure,
  outcome: RowOutcome,
  outcomes: readonly RowOutcome[],
): string[] {
  const { what, unit, values } = figure.figure;
  const { median, min, max } = spreadOf(values);
  const { mustReach, verdict, timesTheLast } = judge(figure, outcome, outcomes);
  const loopDelayMs = figure.medianCost('loopDelayP99Ms');
  const memoryBytes = figure.medianCost('serverMemoryBytes');
  return [
    outcome.row.title,
    outcome.contestant.name,
    what,
    formatValue(median, unit),
    `${formatValue(min, unit)} to ${formatValue(max, unit)}`,
    mustReach,
    verdict,
    timesTheLast === null ? '' : timesTheLast.toFixed(timesTheLast < 1 ? 2 : 1),
    wholeNumber(figure.medianCost('serverNsPerMessage')),
    wholeNumber(figure.medianCost('generatorNsPerMessage')),
    memoryBytes === null ? '' : `${(memoryBytes / 1e6).toFixed(0)} MB`,
    loopDelayMs === null ? '' : `${loopDelayMs.toFixed(1)} ms`,
    remarks(figure, outcome),
  ];
}

function remarks(figure: RowFigure, { contestant }: RowOutcome): string {
  const share = figure.medianCost('generatorShare') ?? 0;
  const limit = share > GENERATOR_SHARE_MAX ? ['the generator was the limit'] : [];
  const loopDelayMs = figure.medianCost('loopDelayP99Ms') ?? 0;
  const isLate = contestant.target.isOurs && loopDelayMs > LOOP_DELAY_P99_MS_MAX;
  const late = isLate ? [`its event loop was late by more than ${LOOP_DELAY_P99_MS_MAX} ms`] : [];
  return [...figure.remarks, ...limit, ...late].join(', ');
}

function wholeNumber(value: number | null): string {
  return value === null ? '' : String(Math.round(value));
}

function tableLine(cells: readonly string[]): string {
  const plain = cells.map((cell) => cell.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim());
  return `| ${plain.join(' | ')} |`;
}
