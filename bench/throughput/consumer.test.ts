import t from 'tap';
import {
  BASIC_ACK_ID,
  basicAckDeliveryTag,
  basicAckMultiple,
  FrameScanner,
  readU32,
} from '../../generated/index.ts';
import { TrafficScanner } from '../amqp/traffic-scanner.ts';
import { encodeDeliveries } from '../testing/delivery-bytes.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { ConsumeGoal } from './consume-goal.ts';
import { ConsumePace } from './consume-pace.ts';
import { Consumer } from './consumer.ts';
import { Pacer } from './pacer.ts';
import { Schedule } from './schedule.ts';

const ACK_FRAME_BYTES = 21;
const FRAME_MAX = 108;
/** Empty, small, exactly a frame, more than a frame, and a run of equal ones. */
const BODY_SIZES = [16, 0, 1, 100, 101, 250, 0, 16, 16, 16];

interface Consumed {
  readonly count: number;
  readonly acks: readonly string[];
  readonly connection: RecordingConnection;
  readonly consumer: Consumer;
}

/** Feeds the chunks one after the other, each in the same read buffer, as the socket does. */
function consumeChunks(chunks: readonly Buffer[], ackEvery: number): Consumed {
  const connection = new RecordingConnection();
  const goal = new ConsumeGoal(0);
  const consumer = new Consumer(connection, goal, ackEvery);
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  const readBuffer = Buffer.alloc(Math.max(...chunks.map((chunk) => chunk.length)), 0xdb);
  for (const chunk of chunks) {
    readBuffer.fill(0xdb);
    chunk.copy(readBuffer);
    scanner.scan(readBuffer, chunk.length);
  }
  return { count: goal.consumed, acks: acksOf(connection), connection, consumer };
}

function acksOf(connection: RecordingConnection): string[] {
  const bytes = Buffer.concat(connection.written);
  const acks: string[] = [];
  for (let at = 0; at < bytes.length; at += ACK_FRAME_BYTES) {
    t.equal(readU32(bytes, at + 7), BASIC_ACK_ID);
    const multiple = basicAckMultiple(bytes, at + 11) ? ' and before' : '';
    acks.push(`${basicAckDeliveryTag(bytes, at + 11)}${multiple}`);
  }
  return acks;
}

t.test('every delivery counts once, wherever the stream is split', async (t) => {
  const bytes = encodeDeliveries(BODY_SIZES, FRAME_MAX);
  for (let split = 1; split < bytes.length; split++) {
    const chunks = [bytes.subarray(0, split), bytes.subarray(split)];
    const { count, acks } = consumeChunks(chunks, 3);
    if (count === BODY_SIZES.length && acks.join() === '3 and before,6 and before,9 and before') {
      continue;
    }
    t.fail(`split at ${split}: ${count} deliveries, acks ${acks.join()}`);
  }
  t.pass('all splits');
});

t.test('every delivery counts once when the stream comes octet by octet', async (t) => {
  const bytes = encodeDeliveries(BODY_SIZES, FRAME_MAX);
  const chunks = Array.from(bytes, (octet) => Buffer.from([octet]));
  const { count, acks } = consumeChunks(chunks, 1);
  t.equal(count, BODY_SIZES.length);
  t.same(acks, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
});

t.test('a delivery counts only when its last octet has come', async (t) => {
  const bytes = encodeDeliveries([16], 0);
  t.equal(consumeChunks([bytes.subarray(0, -1)], 0).count, 0);
  t.equal(consumeChunks([bytes.subarray(0, -1), bytes.subarray(-1)], 0).count, 1);
});

t.test('with auto-ack nothing is written', async (t) => {
  const { count, acks } = consumeChunks([encodeDeliveries(BODY_SIZES, 0)], 0);
  t.equal(count, BODY_SIZES.length);
  t.same(acks, []);
});

t.test('the deliveries behind the last full ack are acked at the end', async (t) => {
  const { connection, consumer } = consumeChunks([encodeDeliveries(BODY_SIZES, 0)], 4);
  t.same(acksOf(connection), ['4 and before', '8 and before']);
  await consumer.finish();
  t.same(acksOf(connection), ['4 and before', '8 and before', '10 and before']);
  t.ok(connection.isChannelClosed);
});

t.test('what comes when the channel is being closed is not acked', async (t) => {
  const { connection, consumer } = consumeChunks([encodeDeliveries([1, 1], 0)], 1);
  await consumer.finish();
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  const more = encodeDeliveries([1, 1, 1], 0);
  scanner.scan(more, more.length);
  t.same(acksOf(connection), ['1', '2']);
});

t.test('acks that the socket has not taken yet are not overwritten', async (t) => {
  const connection = new RecordingConnection();
  new Consumer(connection, new ConsumeGoal(0), 1);
  const scanner = new TrafficScanner(() => {});
  scanner.traffic = connection.traffic;
  const bytes = encodeDeliveries([1, 1, 1, 1], 0);
  connection.isWritable = false;
  scanner.scan(bytes.subarray(0, bytes.length / 2), bytes.length / 2);
  scanner.scan(bytes.subarray(bytes.length / 2), bytes.length / 2);
  t.same(acksOf(connection), ['1', '2', '3', '4']);
});

/** A pacer whose sleepers wake when the test says so. */
class HeldPacer extends Pacer {
  wake: () => void = () => t.fail('nobody sleeps');

  override wakeAt(_dueUs: number, wake: () => void): void {
    this.wake = wake;
  }
}

t.test('a consumer with a rate leaves the rest of a read until it is due', async (t) => {
  const connection = new RecordingConnection();
  const goal = new ConsumeGoal(0);
  const pacer = new HeldPacer();
  const pace = new ConsumePace(new Schedule(0.001), pacer);
  const consumer = new Consumer(connection, goal, 0, { pace });
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  connection.onPause = () => scanner.requestStop();
  const bytes = encodeDeliveries([16, 16, 16, 16], 0);
  const afterOne = scanner.scan(bytes, bytes.length);
  t.ok(connection.isPaused);
  t.equal(goal.consumed, 1);
  pacer.wake();
  t.notOk(connection.isPaused);
  const afterTwo = scanner.scan(bytes, bytes.length, afterOne);
  t.ok(connection.isPaused);
  t.equal(goal.consumed, 2);
  consumer.release();
  t.notOk(connection.isPaused);
  t.equal(scanner.scan(bytes, bytes.length, afterTwo), bytes.length);
  t.equal(goal.consumed, 4, 'at the end what is unread comes');
});

t.test('acks are committed every so many deliveries, and the rest at the end', async (t) => {
  const connection = new RecordingConnection();
  const consumer = new Consumer(connection, new ConsumeGoal(0), 2, { commitEvery: 3 });
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  const bytes = encodeDeliveries([1, 1, 1, 1, 1], 0);
  scanner.scan(bytes, bytes.length);
  await consumer.finish();
  const methods: string[] = [];
  const recorder = {
    onFrame: (_type: number, _channel: number, buf: Buffer, start: number, end: number) => {
      const isAck = readU32(buf, start) === BASIC_ACK_ID;
      methods.push(isAck ? `ack ${basicAckDeliveryTag(buf, start + 4)}` : 'commit');
      return end + 1;
    },
    onBodyPiece: () => t.fail('a body'),
  };
  const written = Buffer.concat(connection.written);
  new FrameScanner(recorder, 1e6).scan(written, 0, written.length);
  t.same(methods, ['ack 2', 'commit', 'ack 4', 'ack 5', 'commit']);
});
