import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { ContenderCommand } from '../testing/lock-contender.ts';
import { spawnNode } from '../testing/spawn-node.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { acquireDirectoryLock, refuseDirectoryInUse } from './directory-lock.ts';

const contenderMain = fileURLToPath(new URL('../testing/lock-contender.js', import.meta.url));

function startContender(t: Teardown): ChildProcess {
  const child = spawnNode([contenderMain], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function ask(child: ChildProcess, command: ContenderCommand): Promise<unknown> {
  child.send(command);
  const [answer] = (await once(child, 'message')) as [unknown];
  return answer;
}

t.test('a second attempt is refused with the directory and the process of the first', async (t) => {
  const directory = temporaryDirectory(t);
  const lock = await acquireDirectoryLock(directory);
  await t.rejects(acquireDirectoryLock(directory), {
    name: 'DirectoryInUseError',
    message: `${directory} is in use by another server (process ${process.pid})`,
    holderPid: process.pid,
  });
  lock.release();
});

t.test('a released lock can be taken again, and a missing directory is made', async (t) => {
  const directory = join(temporaryDirectory(t), 'not', 'there');
  for (let round = 0; round < 3; round++) (await acquireDirectoryLock(directory)).release();
  t.same(readdirSync(join(directory, '.lock')), ['3']);
});

t.test('a look at a directory finds its holder, and leaves no trace', async (t) => {
  const directory = temporaryDirectory(t);
  await refuseDirectoryInUse(directory);
  t.same(readdirSync(directory), []);
  const lock = await acquireDirectoryLock(directory);
  await t.rejects(refuseDirectoryInUse(directory), {
    code: 'DIRECTORY_IN_USE',
    holderPid: process.pid,
  });
  lock.release();
  await refuseDirectoryInUse(directory);
  t.same(readdirSync(join(directory, '.lock')), ['1']);
});

t.test('a path too long for a socket works, and still refuses the second', async (t) => {
  const directory = join(temporaryDirectory(t), 'x'.repeat(100), 'y'.repeat(100));
  const lock = await acquireDirectoryLock(directory);
  await t.rejects(acquireDirectoryLock(directory), { code: 'DIRECTORY_IN_USE' });
  lock.release();
  (await acquireDirectoryLock(directory)).release();
});

t.test('a directory that cannot be written to is an error that names it', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, '.lock'), '');
  await t.rejects(acquireDirectoryLock(directory), { code: 'STORAGE_EEXIST' });
});

t.test('a holder that does not answer is a holder', async (t) => {
  // A socket that accepts and says nothing, as a stopped process would.
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, '.lock'));
  const silent = createServer(() => undefined).listen(join(directory, '.lock', '7'));
  t.teardown(() => silent.close());
  await once(silent, 'listening');
  await t.rejects(acquireDirectoryLock(directory, { answerTimeoutMs: 20 }), {
    message: `${directory} is in use by another server (which does not answer)`,
    holderPid: null,
  });
});

t.test('a holder that ends without a word is none', async (t) => {
  // As after a SIGKILL, when the kernel still takes connections for a process that it is clearing away.
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, '.lock'));
  const dying = createServer((socket) => {
    dying.close();
    socket.destroy();
  }).listen(join(directory, '.lock', '7'));
  await once(dying, 'listening');
  (await acquireDirectoryLock(directory)).release();
});

t.test('leftovers of servers killed while starting are deleted, fresh ones not', async (t) => {
  const directory = temporaryDirectory(t);
  const folder = join(directory, '.lock');
  mkdirSync(folder);
  for (const name of ['new-00000001', 'new-00000002']) writeFileSync(join(folder, name), '');
  utimesSync(join(folder, 'new-00000001'), 0, 0);
  (await acquireDirectoryLock(directory)).release();
  t.same(readdirSync(folder), ['1', 'new-00000002']);
});

t.test('of many processes that start at once, after releases and SIGKILLs, one runs', async (t) => {
  // Each round every process makes several attempts at the same instant; then the winner releases, or is
  // killed and, without waiting for its end, the next round begins.
  const processes = 5;
  const attempts = 3;
  const directory = temporaryDirectory(t);
  const contenders = Array.from({ length: processes }, () => startContender(t));
  let kills = 0;
  for (let round = 0; round < 18; round++) {
    const answers = await Promise.all(
      contenders.map((child) => ask(child, { directory, attempts }) as Promise<string[]>),
    );
    const outcomes = answers.flat();
    const winner = answers.findIndex((answer) => answer.includes('held'));
    const refused = outcomes.filter((outcome) => outcome === 'refused');
    if (winner === -1 || refused.length !== processes * attempts - 1) {
      t.fail(`round ${round}`, { answers });
      return;
    }
    const child = contenders[winner]!;
    if (round % 3 === 0) {
      await ask(child, 'release');
    } else {
      child.kill('SIGKILL');
      contenders[winner] = startContender(t);
      kills++;
    }
  }
  t.equal(kills, 12);
});
