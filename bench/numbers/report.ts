/** The comparison as a Markdown table. */
import type { RunSample, TargetSamples } from './measure-target.ts';
import type { Row } from './rows.ts';
import { type Spread, spreadOf } from './samples.ts';

const COLUMNS = [
  'row',
  'broker',
  'median',
  'min to max',
  'times the last',
  'server CPU ns/msg',
  'generator CPU ns/msg',
  'remarks',
];

/**
 * One line for each row and broker. The last broker is the one that the others are compared with.
 *
 * @param context where and how it was measured, in lines of text
 */
export function formatReport(
  context: readonly string[],
  rows: readonly Row[],
  targets: readonly TargetSamples[],
): string {
  const lines = [...context.map((line) => `- ${line}`), ''];
  lines.push(tableLine(COLUMNS), tableLine(COLUMNS.map(() => '---')));
  for (const row of rows) {
    for (const target of targets) lines.push(tableLine(rowCells(row, target, targets)));
  }
  for (const target of targets) {
    if (target.startupMs.length > 0) lines.push(tableLine(startupCells(target, targets)));
  }
  return `${lines.join('\n')}\n`;
}

function rowCells(row: Row, target: TargetSamples, targets: readonly TargetSamples[]): string[] {
  const samples = target.runs.get(row.id) ?? [];
  if (samples.length === 0) return [row.title, target.name, '', '', '', '', '', 'not measured'];
  const rate = spreadOf(samples.map((sample) => sample.rate));
  const reference = targets.at(-1)?.runs.get(row.id) ?? [];
  const ratio =
    target === targets.at(-1) || reference.length === 0
      ? ''
      : (rate.median / spreadOf(reference.map((sample) => sample.rate)).median).toFixed(1);
  return [
    row.title,
    target.name,
    `${formatRate(rate.median)}/s`,
    `${formatRate(rate.min)} to ${formatRate(rate.max)}`,
    ratio,
    medianOf(samples, (sample) => sample.serverCpuNsPerMessage),
    medianOf(samples, (sample) => sample.result.generatorCpuNsPerMessage),
    remarks(samples),
  ];
}

function startupCells(target: TargetSamples, targets: readonly TargetSamples[]): string[] {
  const startup: Spread = spreadOf(target.startupMs);
  const reference = targets.at(-1);
  const ratio =
    reference === undefined || reference === target || reference.startupMs.length === 0
      ? ''
      : (startup.median / spreadOf(reference.startupMs).median).toFixed(2);
  return [
    'start of the process to connection.open-ok, empty directory',
    target.name,
    formatSeconds(startup.median),
    `${formatSeconds(startup.min)} to ${formatSeconds(startup.max)}`,
    ratio,
    '',
    '',
    '',
  ];
}

function medianOf(
  samples: readonly RunSample[],
  value: (sample: RunSample) => number | null,
): string {
  const values = samples.map(value).filter((found) => found !== null);
  return values.length === 0 ? '' : String(Math.round(spreadOf(values).median));
}

function remarks(samples: readonly RunSample[]): string {
  const found: string[] = [];
  const left = samples
    .filter(({ result }) => result.consumed > 0 && result.published > 0)
    .map(({ result }) => (100 * result.ready) / result.published);
  if (left.length > 0) found.push(`left in the queue ${spreadOf(left).median.toFixed(1)} %`);
  const p99 = samples.flatMap(({ result }) => result.confirmLatency?.p99Ms ?? []);
  if (p99.length > 0) found.push(`p99 confirm ${spreadOf(p99).median.toFixed(1)} ms`);
  const nacked = samples.reduce((sum, { result }) => sum + result.nacked, 0);
  if (nacked > 0) found.push(`${nacked} nacked`);
  const share = spreadOf(samples.map(({ result }) => result.generatorCpuShare)).median;
  if (share > 0.9) found.push('the generator was the limit');
  return found.join(', ');
}

function formatRate(rate: number): string {
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(2)} M` : `${(rate / 1e3).toFixed(1)} k`;
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
