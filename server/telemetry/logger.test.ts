import t from 'tap';
import { createLogger, createSilentLogger, redacted } from './logger.ts';

function collect(level: 'info' | 'trace' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
  };
  return { lines, logger: createLogger({ level, output: { write } }) };
}

t.test(
  'a line has level by name, ISO time, event, its keys and the message, and nothing else',
  async (t) => {
    const { lines, logger } = collect();
    logger.warn({ event: 'queue.delete', messages: 3 }, 'a queue is deleted');
    const { time, ...rest } = lines[0]!;
    t.same(rest, { level: 'warn', event: 'queue.delete', messages: 3, msg: 'a queue is deleted' });
    t.equal(new Date(String(time)).toISOString(), time);
  },
);

t.test('a child carries its context', async (t) => {
  const { lines, logger } = collect();
  logger.child({ vhost: '/', conn: 'a:1' }).info({ event: 'connection.open' }, 'opens');
  t.match(lines, [{ vhost: '/', conn: 'a:1', event: 'connection.open' }]);
});

t.test('lines below the level are not written, and a caller can know before', async (t) => {
  const { lines, logger } = collect();
  logger.debug({ event: 'channel.open' }, 'opens');
  t.same(lines, []);
  t.notOk(logger.isLevelEnabled('debug'));
  t.ok(collect('trace').logger.isLevelEnabled('trace'));
  t.notOk(createSilentLogger().isLevelEnabled('fatal'));
});

t.test('an error is written with its code, its stack and its cause', async (t) => {
  const { lines, logger } = collect();
  const err = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'EIO' });
  logger.error({ event: 'segment.fail', err }, 'fails');
  t.match(lines, [
    { err: { code: 'EIO', message: /outer: inner/, stack: /caused by: Error: inner/ } },
  ]);
});

t.test(
  'credentials, SASL responses and bodies never reach the output, at the top or below',
  async (t) => {
    const keys = [
      'password',
      'passwordHash',
      'password_hash',
      'response',
      'authorization',
      'secret',
      'body',
    ];
    for (const key of keys) {
      const { lines, logger } = collect();
      logger.info({ event: 'x.y', [key]: 'hidden' }, 'top');
      logger.info({ event: 'x.y', user: { name: 'bob', [key]: 'hidden' } }, 'below');
      const err = Object.assign(new Error('refused'), { [key]: 'hidden' });
      logger.info({ event: 'x.y', err }, 'in an error');
      const both = { event: 'x.y', [key]: 'hidden', user: { [key]: 'hidden' }, n: 1 };
      logger.info(both, 'both');
      t.notMatch(JSON.stringify(lines), /hidden/, key);
      t.match(lines, [
        { [key]: redacted },
        { user: { name: 'bob', [key]: redacted } },
        { err: { message: 'refused', stack: /logger\.test/, [key]: redacted } },
        { [key]: redacted, user: { [key]: redacted }, n: 1 },
      ]);
      t.same([err[key], both[key], both.user], ['hidden', 'hidden', { [key]: 'hidden' }]);
    }
  },
);
