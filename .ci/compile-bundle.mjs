// Runs the bundled server once, on an empty directory, and keeps what V8 has compiled until its first clients, of AMQP
// and of HTTP, are served:
//
//     node .ci/compile-bundle.mjs dist/firnmq
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { CompiledProgram, codePath, PART_NAMES } from '../dist/server/compiled-program.js';

const RETRY_INTERVAL_MS = 10;
const TIME_LIMIT_MS = 20_000;
const MESSAGE = Buffer.from('a message');

const [, , directory] = process.argv;
const parent = mkdtempSync(join(tmpdir(), 'firnmq-compile-'));
const dataDir = join(parent, 'data');
const socketPath = join(parent, 'amqp');
const logFile = join(parent, 'log');

setTimeout(() => {
  process.stderr.write('the server does not serve\n');
  process.exit(1);
}, TIME_LIMIT_MS).unref();
process.on('exit', () => rmSync(parent, { recursive: true, force: true }));

async function connect() {
  for (;;) {
    try {
      return await amqplib.connect('amqp://localhost', { path: socketPath });
    } catch {
      await delay(RETRY_INTERVAL_MS);
    }
  }
}

/** The port of the HTTP side, once a client has connected. */
function httpPort() {
  const events = readFileSync(logFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return events.find(({ event, protocol }) => event === 'listening' && protocol === 'http').port;
}

/** What most clients begin with. */
async function useServer() {
  const connection = await connect();
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const received = new Promise((resolve) => void channel.consume(queue, resolve));
  channel.sendToQueue(queue, MESSAGE);
  channel.ack(await received);
  await channel.waitForConfirms();
  await connection.close();
  for (const path of ['/', '/healthz'])
    await (await fetch(`http://127.0.0.1:${httpPort()}${path}`)).text();
}

const program = new CompiledProgram(directory, true);
const ports = ['-b', '127.0.0.1', '-p', '0', '--http-port', '0', '--amqp-unix-path', socketPath];
process.env.FIRNMQ_LOG_FILE = logFile;
process.argv = [process.execPath, 'firnmq', '-D', dataDir, ...ports];
void program.load('program').runProgram();
await useServer();
for (const name of PART_NAMES) {
  const path = codePath(directory, name);
  writeFileSync(`${path}.new`, program.codeOf(name));
  renameSync(`${path}.new`, path);
}
process.exit(0);
