/** Many connections that wait: each with a channel and a consumer of one queue, in the clear and over TLS. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BASIC_CONSUME_OK_ID,
  EMPTY_TABLE,
  encodeBasicConsume,
  encodeChannelOpen,
  encodeQueueDeclare,
  sizeOfBasicConsume,
  sizeOfChannelOpen,
  sizeOfQueueDeclare,
} from '../../../generated/index.ts';
import { openAtOnce } from '../../connections/open-at-once.ts';
import type { Goal } from '../../storage/figure.ts';
import { freshMemory, restingMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import { RowSkipped, type StorageRow } from '../../storage/storage-row.ts';
import { firnmqCommand, firnmqTlsCommand } from '../../targets/firnmq-process.ts';

const CONNECTIONS = 8000;
/** Opened together: a TLS handshake costs milliseconds, and must be over in time. */
const GROUP = 100;
const GROUP_LIMIT_MS = 20_000;
const BYTES_PER_MB = 1e6;
const BYTES_PER_KB = 1e3;
const CHANNEL = 1;
const QUEUE = 'idle';

/** See {@link StorageRow}. */
export const connectionsRow: StorageRow = {
  id: 'connections',
  title: '8,000 connections with a channel and a consumer each: memory in all',
  diskBytes: 0.1e9,
  deadlineMs: 120_000,
  measure: (run) =>
    measure(run, connectionsRow.title, { kind: 'at most', bound: 200, of: 'median' }, false),
};

/** See {@link StorageRow}. */
export const tlsConnectionsRow: StorageRow = {
  id: 'tls-connections',
  title: 'the same over TLS',
  diskBytes: 0.1e9,
  deadlineMs: 240_000,
  measure: (run) => measure(run, tlsConnectionsRow.title, null, true),
};

/** Once only: thousands of connections are average enough. */
async function measure(run: RowRun, title: string, goal: Goal, isTls: boolean): Promise<void> {
  const memory = run.figure(title, 'MB', goal);
  const directory = run.newDirectory();
  const server = await run.startServer(
    directory,
    isTls ? firnmqTlsCommand(directory, makeCertificate(run)) : firnmqCommand(directory),
  );
  const empty = await freshMemory(run, server);
  const count = run.scaled(CONNECTIONS);
  const uri = isTls ? { ...server.uri, port: server.tlsPort ?? 0 } : server.uri;
  const opened: (() => Promise<void>)[] = [];
  try {
    for (let done = 0; done < count; done += GROUP) {
      const group = await openAtOnce({
        uri,
        isTls,
        count: Math.min(GROUP, count - done),
        limitMs: GROUP_LIMIT_MS,
        afterOpen: { frames: consumeFrames(), answerId: BASIC_CONSUME_OK_ID },
      });
      opened.push(group.close);
      const [failure] = group.failures;
      if (failure !== undefined) throw new Error(`a connection was not served: ${failure}`);
    }
    const { rssBytes, pssBytes } = await restingMemory(run, server);
    memory.add(rssBytes / BYTES_PER_MB);
    if (pssBytes !== null) memory.note('by PSS', pssBytes / BYTES_PER_MB);
    memory.note('empty server', empty.rssBytes / BYTES_PER_MB);
    memory.note('1,000 of them', (rssBytes - empty.rssBytes) / count / BYTES_PER_KB);
  } finally {
    await Promise.all(opened.map((close) => close()));
  }
  const closed = await restingMemory(run, server);
  memory.note('after their end', closed.rssBytes / BYTES_PER_MB);
}

/** Opens a channel, and consumes from a queue that all of them share. */
function consumeFrames(): Buffer {
  const declare = {
    queue: QUEUE,
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    noWait: true,
    arguments: EMPTY_TABLE,
  };
  const consume = {
    queue: QUEUE,
    consumerTag: '',
    noLocal: false,
    noAck: false,
    exclusive: false,
    noWait: false,
    arguments: EMPTY_TABLE,
  };
  const declareAt = sizeOfChannelOpen();
  const consumeAt = declareAt + sizeOfQueueDeclare(declare);
  const frames = Buffer.allocUnsafe(consumeAt + sizeOfBasicConsume(consume));
  encodeChannelOpen(frames, 0, CHANNEL);
  encodeQueueDeclare(frames, declareAt, CHANNEL, declare);
  encodeBasicConsume(frames, consumeAt, CHANNEL, consume);
  return frames;
}

/** A certificate for this run and its key in one file. @throws RowSkipped without OpenSSL's command */
function makeCertificate(run: RowRun): string {
  const directory = run.newDirectory();
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-days', '30'];
  try {
    const args = ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert];
    execFileSync('openssl', args, { stdio: 'pipe' });
  } catch (cause) {
    throw new RowSkipped('it needs the command openssl to make a certificate', { cause });
  }
  writeFileSync(cert, readFileSync(key), { flag: 'a' });
  return cert;
}
