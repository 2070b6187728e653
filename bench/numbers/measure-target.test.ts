// The comparison in small, against the stand-in broker: every row runs, so that none rots.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createStandInTarget } from '../targets/stand-in-target.ts';
import { measureTarget } from './measure-target.ts';
import { formatReport } from './report.ts';
import { ROWS } from './rows.ts';

const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;
const skip = canPin ? false : 'taskset cannot keep a process to a core here';

t.test('every row of the comparison is measured and reported', { skip }, async (t) => {
  const steps: string[] = [];
  const samples = await measureTarget(createStandInTarget(0), ROWS, {
    repeats: 1,
    seconds: 0.05,
    generatorCore: 0,
    signal: new AbortController().signal,
    onStep: (text) => steps.push(text),
  });
  t.same(steps, ['stand-in: repeat 1 of 1']);
  t.equal(samples.startupMs.length, 1);
  for (const row of ROWS) {
    const [run] = samples.runs.get(row.id) ?? [];
    t.ok(run !== undefined && run.rate > 0, row.id);
    t.ok((run?.serverCpuNsPerMessage ?? -1) >= 0, row.id);
  }
  const published = samples.runs.get('publish')?.[0]?.result.published;
  t.equal(samples.runs.get('consume')?.[0]?.result.consumed, published, 'what one published');
  const report = formatReport(['here'], ROWS, [samples]);
  for (const row of ROWS) t.match(report, `| ${row.title} | stand-in | `);
});
