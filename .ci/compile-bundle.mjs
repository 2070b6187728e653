// Runs the bundled server once, on an empty directory, and keeps what V8 has compiled until its first clients are
// served:
//
//     node .ci/compile-bundle.mjs dist/firnmq
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { CompiledProgram, codePath } from '../dist/server/compiled-program.js';

const RETRY_INTERVAL_MS = 10;
const TIME_LIMIT_MS = 20_000;
const MESSAGE = Buffer.from('a message');

const [, , directory] = process.argv;
const parent = mkdtempSync(join(tmpdir(), 'firnmq-compile-'));
const dataDir = join(parent, 'data');
const socketPath = join(parent, 'amqp');

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
}

const program = new CompiledProgram(directory, true);
const ports = ['-b', '127.0.0.1', '-p', '0', '--http-port', '0', '--amqp-unix-path', socketPath];
process.argv = [process.execPath, 'firnmq', '-D', dataDir, ...ports, '--log-level', 'fatal'];
void program.load().runProgram();
await useServer();
const path = codePath(directory);
writeFileSync(`${path}.new`, program.code());
renameSync(`${path}.new`, path);
process.exit(0);
