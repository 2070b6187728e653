/** Measured operations for people. */
import { formatLatency } from '../throughput/format-result.ts';
import type { OperationFigure } from './operation-meter.ts';

const NAME_WIDTH = 32;
const INDENT = ' '.repeat(NAME_WIDTH + 1);

/** Some lines of text: how many, how fast, how long each took, and what they cost this process. */
export function formatFigure(figure: OperationFigure): string {
  const { name, count, seconds, rate, latency, generatorCpuShare } = figure;
  const share = `${(100 * generatorCpuShare).toFixed(0)} % of a core`;
  const lines = [
    `${name.padEnd(NAME_WIDTH)} ${Math.round(rate)}/s (${count} in ${seconds.toFixed(2)} s)`,
    ...(latency === null ? [] : [`${INDENT}latency ${formatLatency(latency)}`]),
    `${INDENT}generator CPU ${share}`,
  ];
  return lines.join('\n');
}
