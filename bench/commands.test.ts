/** Every command of firnmqperf as a program, in small, against the real server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { BenchConnection } from './amqp/bench-connection.ts';
import { declareQueue } from './amqp/control.ts';
import { StorageServer } from './storage/storage-server.ts';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
const server = await StorageServer.start(dataDir, null, new AbortController().signal);
t.teardown(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true });
});
const URI = `amqp://127.0.0.1:${server.uri.port}`;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs firnmqperf to its end; `onLine` gets each line of its output, and what ends it early. */
async function firnmqperf(
  args: readonly string[],
  onLine: (line: string, interrupt: () => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onLine(text, () => child.kill('SIGINT'));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

/** What a command prints with `-j`. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await firnmqperf([...args, '-j', '--uri', URI]);
  t.equal(stderr, '');
  t.equal(code, 0);
  return JSON.parse(stdout) as Record<string, unknown>; // what this program printed itself
}

t.test('throughput prints its summary as a line of JSON, or for people', async (t) => {
  const flags = ['throughput', '-C', '500', '-D', '500', '-V', '-c', '10', '-r', '10000'];
  const result = await json(...flags);
  t.match(result, {
    broker: 'FirnMQ 0.1.0',
    published: 500,
    consumed: 500,
    confirmed: 500,
    latency: { count: 500 },
    confirmLatency: { count: 500 },
    verification: { verified: 500, missing: 0 },
    ready: 0,
  });
  const { code, stdout } = await firnmqperf([...flags, '-q', '--uri', URI]);
  t.equal(code, 0);
  t.match(stdout, /^published {12}500 in /m);
  t.match(stdout, /^verified {13}500 messages, each once, in order and whole$/m);
  t.match(stdout, /^generator CPU {8}\d+ ns\/msg, \d+ % of a core/m);
});

t.test('throughput tells every second how it goes, and ends in order at Ctrl-C', async (t) => {
  const { code, stdout } = await firnmqperf(
    ['throughput', '-r', '100', '-u', 'live', '--uri', URI],
    (line, interrupt) => {
      if (line.startsWith('published')) interrupt();
    },
  );
  t.equal(code, 0);
  t.match(stdout, /^published \d+\/s, consumed \d+\/s, 99 % within [\d.]+ ms$/m);
  t.match(stdout, /^consume rate /m);
});

t.test('a verification that fails is told, with exit code 1', async (t) => {
  await json('throughput', '-y', '0', '-V', '-C', '10', '-u', 'unlike');
  const args = ['throughput', '-x', '0', '-V', '-D', '10', '-u', 'unlike', '--random-bodies'];
  const { code, stdout } = await firnmqperf([...args, '-s', '17', '-q', '--uri', URI]);
  t.equal(code, 1);
  t.match(stdout, /10 messages, FAILED: 0 missing, 0 duplicates, 0 out of order, 10 corrupt/);
});

t.test('what is refused is told in a sentence, with exit code 1', async (t) => {
  const refused = async (reason: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await firnmqperf(args);
    t.equal(code, 1);
    t.match(stderr, reason);
  };
  await refused(/nothing to do/, 'throughput', '-x', '0', '-y', '0');
  await refused(/unknown option '--nonsense'/, 'throughput', '--nonsense');
  await refused(/it needs an end/, 'channel-churn', '-z', '0');
  await refused(/at least 1/, 'queue-count', '-q', '0');
  await refused(/vhost none not found/, 'bind-churn', '--uri', `${URI}/none`);
  await refused(/ECONNREFUSED/, 'connection-count', '-x', '200', '--uri', 'amqp://127.0.0.1:1');
});

/** Churns, and the names of what each measures. */
const CHURNS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    ['bind-churn'],
    [
      'bind non-durable queue',
      'unbind non-durable queue',
      'bind durable queue',
      'unbind durable queue',
    ],
  ],
  [
    ['bind-churn', '--durable', '--awake', '-e', 'amq.topic'],
    ['bind durable queue', 'unbind durable queue'],
  ],
  [['queue-churn'], ['create, delete transient queue', 'create, delete durable queue']],
  [['queue-churn', '--transient'], ['create, delete transient queue']],
  [['connection-churn'], ['open, close connection']],
  [['channel-churn'], ['open, close channel']],
  [['consumer-churn'], ['start, cancel consumer']],
];

for (const [args, names] of CHURNS) {
  t.test(`${args.join(' ')} does exactly so many, by several connections`, async (t) => {
    const result = await json(...args, '-C', '7', '-x', '2');
    const figure = (name: string) => ({ name, count: 7, latency: { count: 7 } });
    t.match(result, { broker: 'FirnMQ 0.1.0', connections: 2, figures: names.map(figure) });
  });
}

t.test('a churn ends when its time is over, and prints its figures for people', async (t) => {
  const { code, stdout } = await firnmqperf(['channel-churn', '-z', '0.1', '-q', '--uri', URI]);
  t.equal(code, 0);
  t.match(stdout, /^open, close channel +\d+\/s \(\d+ in 0\.\d+ s\)$/m);
});

t.test('connection-count opens connections, channels and consumers', async (t) => {
  const result = await json('connection-count', '-x', '120', '-c', '2', '-C', '3', '-z', '0.01');
  t.match(result, {
    broker: 'FirnMQ 0.1.0',
    count: 120,
    channels: 240,
    consumers: 720,
    figures: [{ name: 'connections', count: 120, latency: { count: 120 } }],
  });
});

t.test('queue-count declares queues, waiting for each answer or not', async (t) => {
  const waited = await json('queue-count', '-q', '30', '--arguments', '{"x-a":1}');
  t.match(waited, { count: 30, figures: [{ name: 'queues', count: 30, latency: { count: 30 } }] });
  const unwaited = await json('queue-count', '-q', '1200', '-n');
  t.match(unwaited, { count: 1200, figures: [{ count: 1200, latency: null }] });
});

t.test('queue-count deletes its durable queues, or keeps them where asked', async (t) => {
  const last = async (...flags: string[]): Promise<string> =>
    `${(await json('queue-count', '-q', '5', '-D', ...flags))['prefix']}-4`;
  const [gone, kept] = [await last('-n'), await last('--keep')];
  const connection = await BenchConnection.open(server.uri, 'test');
  t.equal(await declareQueue(connection, kept, true), 0);
  await t.rejects(declareQueue(connection, gone, true), /NOT_FOUND/);
  await connection.close();
});
