/** Puts a comparison where it can be read later: a page, a picture, and every single sample. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import type { RowOutcome } from './measure-rows.ts';
import { formatReport } from './report.ts';

/**
 * Writes `NAME.md`, `NAME.svg` and `NAME.json` into `directory`, which is made where it is missing; what was there under
 * these names is replaced. Returns the path of the page.
 */
export async function writeResults(
  directory: string,
  name: string,
  context: readonly string[],
  outcomes: readonly RowOutcome[],
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = (extension: string): string => join(directory, `${name}.${extension}`);
  const page = `# Comparison\n\n![medians as bars, goals as red lines](${name}.svg)\n\n${formatReport(context, outcomes)}`;
  await writeFile(path('svg'), drawChart(outcomes));
  await writeFile(
    path('json'),
    `${JSON.stringify({ context, outcomes: outcomes.map(plain) }, null, 2)}\n`,
  );
  await writeFile(path('md'), page);
  return path('md');
}

function plain({
  row,
  contestant,
  product,
  figures,
  commands,
  failure,
  skipped,
}: RowOutcome): unknown {
  return {
    row: row.id,
    title: row.title,
    broker: contestant.name,
    product,
    figures: figures.map(({ figure, costs, remarks }) => ({
      what: figure.what,
      unit: figure.unit,
      goal: figure.goal,
      samples: figure.values,
      costs,
      remarks,
    })),
    commands,
    failure,
    skipped,
  };
}
