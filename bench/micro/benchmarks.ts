/** The list of micro-benchmarks: a new one is a file and a line here. */
import { byteAreaBenchmark } from './byte-area.ts';
import { consumerBenchmark } from './consumer.ts';
import { contentEndBenchmark } from './content-end.ts';
import { frameScannerBenchmark } from './frame-scanner.ts';
import type { MicroBenchmark } from './harness.ts';
import { headersBenchmark } from './headers.ts';
import { logBenchmark } from './log.ts';
import { queueIndexBenchmark } from './queue-index.ts';
import { routeBenchmark } from './route.ts';
import { sequenceHeapBenchmark } from './sequence-heap.ts';
import { unackedListBenchmark } from './unacked-list.ts';

/** In the order in which they run. */
export const MICRO_BENCHMARKS: readonly MicroBenchmark[] = [
  frameScannerBenchmark,
  contentEndBenchmark,
  consumerBenchmark,
  byteAreaBenchmark,
  routeBenchmark,
  headersBenchmark,
  logBenchmark,
  queueIndexBenchmark,
  sequenceHeapBenchmark,
  unackedListBenchmark,
];
