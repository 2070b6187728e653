import t, { type Test } from 'tap';
import { basicAckDeliveryTag, basicAckMultiple } from '../../generated/index.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { HoldingConsumer } from './holding-consumer.ts';

const ACK_FRAME_BYTES = 21;

function ackedTags(connection: RecordingConnection): number[] {
  const bytes = Buffer.concat(connection.written);
  const tags: number[] = [];
  for (let at = 0; at < bytes.length; at += ACK_FRAME_BYTES) {
    // One that took others along would count as none of them.
    tags.push(basicAckMultiple(bytes, at + 11) ? -1 : basicAckDeliveryTag(bytes, at + 11));
  }
  return tags;
}

function consume(t: Test, holdEvery: number, count: number): RecordingConnection {
  const connection = new RecordingConnection();
  const consumer = new HoldingConsumer(connection, holdEvery);
  for (let tag = 1; tag <= count; tag++) {
    consumer.onDelivery(tag);
    // The socket is full once, in the middle.
    if (tag === 4) connection.isWritable = false;
    if (tag % 5 === 0) consumer.onReadEnd();
    if (tag === 6) connection.becomeWritable();
  }
  t.equal(consumer.consumed, count);
  return connection;
}

t.test('the first of every so many deliveries is not acked, each other one alone', async (t) => {
  t.same(ackedTags(consume(t, 4, 10)), [2, 3, 4, 6, 7, 8, 10]);
});

t.test('with infinity it is the very first alone', async (t) => {
  const tags = ackedTags(consume(t, Number.POSITIVE_INFINITY, 5000));
  t.equal(tags.length, 4999);
  t.equal(tags[0], 2);
  t.equal(tags.at(-1), 5000);
});
