/** The list of micro-benchmarks: a new one is a file and a line here. */
import { consumerBenchmark } from './consumer.ts';
import { contentEndBenchmark } from './content-end.ts';
import { frameScannerBenchmark } from './frame-scanner.ts';
import type { MicroBenchmark } from './harness.ts';

/** In the order in which they run. */
export const MICRO_BENCHMARKS: readonly MicroBenchmark[] = [
  frameScannerBenchmark,
  contentEndBenchmark,
  consumerBenchmark,
];
