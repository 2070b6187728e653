import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { openLogOutput } from './log-output.ts';
import { createLogger } from './logger.ts';

async function openFileOutput(t: Teardown, readable?: boolean) {
  const path = join(temporaryDirectory(t), 'log');
  const fd = openSync(path, 'w');
  t.teardown(() => closeSync(fd));
  const output = await openLogOutput(fd, readable);
  const logger = createLogger({ level: 'info', output });
  return { logger, written: () => readFileSync(path, 'utf8') };
}

t.test('a line is JSON where nobody watches, and written when the call returns', async (t) => {
  const { logger, written } = await openFileOutput(t);
  logger.info({ event: 'x.y', count: 1 }, 'counts');
  t.match(JSON.parse(written()), { level: 'info', event: 'x.y', count: 1 });
});

t.test('on a terminal a line is readable', async (t) => {
  const { logger, written } = await openFileOutput(t, true);
  logger.info({ event: 'listening', port: 5672 }, 'listening');
  t.match(written(), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening \{"port":5672\}\n$/);
});

t.test('lines are added to a file, and go on in a new one of its name', async (t) => {
  const path = join(temporaryDirectory(t), 'log');
  writeFileSync(path, 'before\n');
  const output = await openLogOutput(path);
  output.write('first\n');
  renameSync(path, `${path}.1`);
  output.write('second\n');
  output.reopen();
  output.write('third\n');
  t.equal(readFileSync(`${path}.1`, 'utf8'), 'before\nfirst\nsecond\n');
  t.equal(readFileSync(path, 'utf8'), 'third\n');
});

t.test('a file that cannot be opened is told, and the log stays in the old one', async (t) => {
  const directory = join(temporaryDirectory(t), 'logs');
  const path = join(directory, 'log');
  await t.rejects(openLogOutput(path), {
    code: 'LOG_FILE',
    message: `cannot write the log to ${path}: ENOENT: no such file or directory, open '${path}'`,
  });
  mkdirSync(directory);
  const output = await openLogOutput(path);
  renameSync(directory, `${directory}.old`);
  t.throws(() => output.reopen(), { code: 'LOG_FILE' });
  output.write('after\n');
  t.equal(readFileSync(join(`${directory}.old`, 'log'), 'utf8'), 'after\n');
});

t.test('what a full disk does not take waits, within a limit', async (t) => {
  const path = join(temporaryDirectory(t), 'log');
  // A device that is always full, until the name leads to a file.
  symlinkSync('/dev/full', path);
  const output = await openLogOutput(path);
  output.write('first\n');
  for (let i = 0; i < 40; i++) output.write(`${'x'.repeat(100_000)}\n`);
  rmSync(path);
  output.reopen();
  output.write('last\n');
  const written = readFileSync(path, 'utf8');
  t.ok(written.startsWith('first\nxxx'));
  t.ok(written.endsWith('x\nlast\n'));
  t.ok(written.length < 1_100_000, `${written.length}`);
});
