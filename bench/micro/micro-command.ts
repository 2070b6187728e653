/** `firnmqperf micro`: the micro-benchmarks, one line each. */
import type { Command } from 'commander';
import { parsePositiveCount } from '../parse-numbers.ts';
import { MICRO_BENCHMARKS } from './benchmarks.ts';
import { runMicroBenchmark } from './harness.ts';

interface MicroFlags {
  readonly operations: number;
  readonly repeats: number;
}

/** Adds the command to `program`. */
export function addMicroCommand(program: Command): void {
  program
    .command('micro')
    .description(`hot functions one by one: ${MICRO_BENCHMARKS.map(({ name }) => name).join(', ')}`)
    .argument('[names...]', 'which of them; all where none is named')
    .option('--operations <count>', 'operations of a repeat', parsePositiveCount, 3_000_000)
    .option('--repeats <count>', 'repeats, of which the best counts', parsePositiveCount, 5)
    .action(runCommand);
}

function runCommand(names: readonly string[], flags: MicroFlags): void {
  for (const name of names) {
    if (!MICRO_BENCHMARKS.some((benchmark) => benchmark.name === name)) {
      throw new Error(`no micro-benchmark ${name}`);
    }
  }
  for (const benchmark of MICRO_BENCHMARKS) {
    if (names.length > 0 && !names.includes(benchmark.name)) continue;
    const { name, operation, nsPerOperation, hash } = runMicroBenchmark(benchmark, flags);
    const ns = nsPerOperation.toFixed(1).padStart(8);
    console.log(`${name.padEnd(16)} ${ns} ns per ${operation.padEnd(10)} hash ${hash}`);
  }
}
