import t from 'tap';
import {
  encodeBasicAck,
  encodeTxCommitOk,
  sizeOfBasicAck,
  sizeOfTxCommitOk,
} from '../../generated/index.ts';
import { encodeCommit } from '../amqp/control.ts';
import { repeatMessage, repeatMessages } from '../amqp/message-block.ts';
import { BENCH_CHANNEL, TrafficScanner } from '../amqp/traffic-scanner.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { ConfirmWindow } from './confirm-window.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Pacer } from './pacer.ts';
import { Producer } from './producer.ts';
import { PublishTransaction } from './publish-transaction.ts';
import { Quota } from './quota.ts';
import { Schedule } from './schedule.ts';

const MESSAGE = Buffer.alloc(64 * 1024, 1);
const block = repeatMessage(MESSAGE);

function confirm(connection: RecordingConnection, deliveryTag: number): void {
  const ack = { deliveryTag, multiple: true };
  const frame = Buffer.alloc(sizeOfBasicAck(ack));
  encodeBasicAck(frame, 0, BENCH_CHANNEL, ack);
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  scanner.scan(frame, frame.length);
}

t.test('a producer publishes exactly its quota, the rest of a block included', async (t) => {
  const connection = new RecordingConnection();
  const producer = new Producer(connection, block, new Quota(21));
  producer.start();
  await producer.whenIdle;
  t.equal(producer.published, 21);
  t.equal(Buffer.concat(connection.written).length, 21 * MESSAGE.length);
  await producer.finish();
  t.ok(connection.isChannelClosed);
});

t.test('a producer writes nothing while the socket holds its last block', async (t) => {
  const connection = new RecordingConnection();
  connection.isWritable = false;
  const producer = new Producer(connection, block, new Quota(0));
  producer.start();
  await new Promise(setImmediate);
  t.equal(connection.written.length, 1);
  connection.becomeWritable();
  t.ok(connection.written.length > 1);
  await producer.finish();
});

t.test('a producer keeps to its window, and is idle when the last confirm has come', async (t) => {
  const connection = new RecordingConnection();
  const window = new ConfirmWindow(3, new LatencyHistogram());
  const producer = new Producer(connection, block, new Quota(5), { window });
  producer.start();
  t.equal(producer.published, 3);
  confirm(connection, 2);
  t.equal(producer.published, 5);
  let isIdle = false;
  const idle = producer.whenIdle.then(() => {
    isIdle = true;
  });
  await new Promise(setImmediate);
  t.notOk(isIdle, 'three are unconfirmed');
  confirm(connection, 5);
  await idle;
  t.equal(window.confirmed, 5);
});

t.test('a producer with a rate publishes no more than is due', async (t) => {
  const connection = new RecordingConnection();
  const pace = { schedule: new Schedule(1000), pacer: new Pacer() };
  const producer = new Producer(connection, block, new Quota(4), { pace });
  const startedMs = performance.now();
  producer.start();
  await producer.whenIdle;
  t.ok(performance.now() - startedMs >= 4, 'four at a message per millisecond');
});

t.test('messages that take turns go on where the last write ended', async (t) => {
  const connection = new RecordingConnection();
  const round = [Buffer.from('a'), Buffer.from('bb'), Buffer.from('ccc')];
  const window = new ConfirmWindow(2, new LatencyHistogram());
  const producer = new Producer(connection, repeatMessages(round), new Quota(5), { window });
  producer.start();
  t.equal(Buffer.concat(connection.written).toString(), 'abb');
  confirm(connection, 2);
  confirm(connection, 4);
  t.equal(Buffer.concat(connection.written).toString(), 'abbcccabb');
});

function answerCommit(connection: RecordingConnection): void {
  const frame = Buffer.alloc(sizeOfTxCommitOk());
  encodeTxCommitOk(frame, 0, BENCH_CHANNEL);
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  scanner.scan(frame, frame.length);
}

t.test('a producer commits after so many messages, and waits for the answer', async (t) => {
  const connection = new RecordingConnection();
  const message = repeatMessage(Buffer.from('m'));
  const transaction = new PublishTransaction(2, new LatencyHistogram());
  const producer = new Producer(connection, message, new Quota(3), { transaction });
  const commit = encodeCommit().toString('latin1');
  const written = (): string => Buffer.concat(connection.written).toString('latin1');
  producer.start();
  t.equal(written(), `mm${commit}`);
  t.equal(transaction.committed, 0);
  answerCommit(connection);
  t.equal(transaction.committed, 2);
  t.equal(written(), `mm${commit}m${commit}`, 'the rest is committed at the end');
  answerCommit(connection);
  await producer.whenIdle;
  t.equal(transaction.committed, 3);
});

t.test(
  'what a stalled broker holds up counts from when it was due, not from its write',
  async (t) => {
    const connection = new RecordingConnection();
    const latencyUs = new LatencyHistogram();
    const window = new ConfirmWindow(1, latencyUs);
    const pace = { schedule: new Schedule(1000), pacer: new Pacer() };
    const producer = new Producer(connection, block, new Quota(10), { window, pace });
    const startedMs = performance.now();
    producer.start();
    // The first is not confirmed until all ten have been due for a while.
    while (performance.now() < startedMs + 30) await new Promise(setImmediate);
    t.equal(producer.published, 1);
    for (let tag = 1; tag <= 10; tag++) confirm(connection, tag);
    await producer.whenIdle;
    const { count, minMs } = latencyUs.summary() ?? { count: 0, minMs: 0 };
    t.equal(count, 10);
    t.ok(minMs >= 19, 'the last was due after 10 ms and could not leave before 30 ms');
  },
);
