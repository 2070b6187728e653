import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../testing/eventually.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { openLogOutput } from './log-output.ts';
import { WAITING_BYTES_MAX } from './pipe-output.ts';

const LINE = `${'x'.repeat(99_999)}\n`;
const LINES = 40;

/** A pipe, and what has been read of it: nothing until `read` is called. */
function openPipe(t: Teardown) {
  const path = join(temporaryDirectory(t), 'pipe');
  spawnSync('mkfifo', [path]);
  const readable = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writable = openSync(path, constants.O_WRONLY);
  let isRead = true;
  const closeReader = () => {
    if (isRead) closeSync(readable);
    isRead = false;
  };
  t.teardown(() => {
    closeReader();
    closeSync(writable);
  });
  const buf = Buffer.alloc(1 << 20);
  let text = '';
  const read = () => {
    try {
      for (let size = -1; size !== 0; ) {
        size = readSync(readable, buf);
        text += buf.toString('latin1', 0, size);
      }
    } catch {
      // There is no more for now.
    }
    return text;
  };
  return { writable, read, closeReader };
}

t.test('a line is in the pipe when the call returns', async (t) => {
  const { writable, read } = openPipe(t);
  const output = await openLogOutput(writable);
  output.write('first\n');
  t.equal(read(), 'first\n');
});

t.test('a reader who does not read costs lines, which are counted, and stops nobody', async (t) => {
  const { writable, read } = openPipe(t);
  const output = await openLogOutput(writable);
  for (let i = 0; i < LINES; i++) output.write(LINE);
  await eventually(() => {
    if (read().length < 1_000_000) throw new Error('it goes on when there is room');
  });
  output.write('last\n');
  await eventually(() => {
    if (!read().endsWith('last\n')) throw new Error('not yet');
  });
  const lines = read().trimEnd().split('\n');
  const whole = lines.filter((line) => `${line}\n` === LINE).length;
  t.match(JSON.parse(lines.at(-2)!), {
    level: 'warn',
    event: 'log.drop',
    count: LINES - whole,
  });
  t.equal(lines.length, whole + 2, 'no line is cut');
  t.ok(whole * LINE.length < 2 * WAITING_BYTES_MAX);
});

t.test('a reader who goes is no error', async (t) => {
  const { writable, closeReader } = openPipe(t);
  const output = await openLogOutput(writable);
  closeReader();
  for (let i = 0; i < 3; i++) {
    t.doesNotThrow(() => output.write('into nothing\n'));
    await new Promise((resolve) => setImmediate(resolve));
  }
});

t.test('a process whose output nobody reads goes on, and ends', async (t) => {
  const module = new URL('./log-output.js', import.meta.url).href;
  const script = `
    const { openLogOutput } = await import('${module}');
    const output = await openLogOutput(1);
    for (let i = 0; i < ${LINES}; i++) output.write('x'.repeat(99_999) + '\\n');
    process.exit(7);`;
  // What Node gives a child as its output is a socket.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  t.same(await once(child, 'exit'), [7, null]);
});
