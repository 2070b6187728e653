import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LONGEST_TURN_FLAGS } from './firnmq-process.ts';
import { PinnedProcess } from './pinned-process.ts';
import { TurnWatch } from './turn-watch.ts';

const HELD_MS = 60;
/** Of the processor time of a process some is not its loop's. */
const SEEN_SHARE_MIN = 0.5;

const WAYS = {
  'by running': `const at = process.cpuUsage();
    while (process.cpuUsage(at).user < ${1000 * HELD_MS});`,
  'by waiting in a call': `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${HELD_MS});`,
};

for (const [way, code] of Object.entries(WAYS)) {
  t.test(`a turn that is held ${way} is as long as that`, async (t) => {
    const script = join(t.testdir(), 'main.mjs');
    writeFileSync(
      script,
      `setTimeout(() => { ${code} console.log('held'); }, 100); setInterval(() => {}, 1000);`,
    );
    const command = [process.execPath, ...LONGEST_TURN_FLAGS, script];
    const server = await PinnedProcess.spawn(null, command, { withChannel: true });
    t.teardown(() => server.kill());
    await server.findLine((line) => (line.includes('held') ? true : null));
    const watch = await TurnWatch.start(server, [], new AbortController().signal);
    const { turnMs, lateMs } = await watch.longest();
    t.ok(turnMs >= SEEN_SHARE_MIN * HELD_MS, `${turnMs} ms`);
    t.ok(lateMs + 2 >= turnMs, `${turnMs} of ${lateMs} ms`);
  });
}
