import t from 'tap';
import { MICRO_BENCHMARKS } from './benchmarks.ts';
import { runMicroBenchmark } from './harness.ts';

for (const benchmark of MICRO_BENCHMARKS) {
  t.test(`the micro-benchmark ${benchmark.name} runs, and does the same every time`, async (t) => {
    const smoke = { operations: 1, repeats: 2 };
    const first = runMicroBenchmark(benchmark, smoke);
    t.equal(runMicroBenchmark(benchmark, smoke).hash, first.hash);
    t.not(first.hash, 0);
    t.ok(first.nsPerOperation > 0);
  });
}
