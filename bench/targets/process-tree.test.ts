import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import { treeCpuSeconds, treePids } from './process-tree.ts';

const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc here';

t.test('the CPU time of a process counts that of its running children', { skip }, async (t) => {
  // Goal: a broker's helpers are part of its cost. The child burns 100 ms and then waits to be ended.
  const burn = 'const end = process.cpuUsage().user + 1e5; while (process.cpuUsage().user < end);';
  const child = spawn(
    process.execPath,
    ['-e', `${burn} console.log('burnt'); setInterval(() => {}, 1e6)`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill());
  await once(child.stdout, 'data');
  t.ok(treePids(process.pid).includes(child.pid ?? -1));
  const childSeconds = treeCpuSeconds(child.pid ?? -1);
  t.ok(childSeconds >= 0.09, `${childSeconds} s`);
  t.ok(treeCpuSeconds(process.pid) >= childSeconds);
});
