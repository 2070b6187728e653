/** The outcomes as a Markdown table, one line for each figure. */
import type { RowOutcome } from './measure-rows.ts';

const COLUMNS = ['row', 'number', 'must reach', 'measured', 'verdict', 'remarks'];

/** @param context where and how it was measured, in lines of text */
export function formatStorageReport(
  context: readonly string[],
  outcomes: readonly RowOutcome[],
): string {
  const lines = [...context.map((line) => `- ${line}`), ''];
  lines.push(tableLine(COLUMNS), tableLine(COLUMNS.map(() => '---')));
  for (const outcome of outcomes) lines.push(...formatOutcome(outcome));
  return `${lines.join('\n')}\n`;
}

/** The table's lines for one row. */
export function formatOutcome({ row, figures, failure, skipped }: RowOutcome): string[] {
  if (skipped !== null)
    return [tableLine([row.id, row.title, '', '', 'skipped', oneLine(skipped)])];
  const measured = figures.filter((figure) => failure === null || figure.values.length > 0);
  const lines = measured.map((figure) =>
    tableLine([
      row.id,
      figure.what,
      figure.mustReach,
      figure.measured,
      figure.verdict,
      figure.remarks,
    ]),
  );
  if (failure !== null) {
    lines.push(tableLine([row.id, row.title, '', 'not to its end', 'FAIL', oneLine(failure)]));
  }
  return lines;
}

/** Whether every row that was not skipped was measured, and reaches what it must. */
export function isAllReached(outcomes: readonly RowOutcome[]): boolean {
  return outcomes.every(
    ({ failure, skipped, figures }) =>
      skipped !== null ||
      (failure === null && figures.every((figure) => figure.verdict !== 'FAIL')),
  );
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();
}
