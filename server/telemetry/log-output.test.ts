import { closeSync, openSync, readFileSync } from 'node:fs';
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
