// Frames that we did not write: what amqplib and pika said to a RabbitMQ 3.10, and what it answered,
// must decode and encode to the same octets.
import t from 'tap';
import {
  BasicPropertiesView,
  ByteReader,
  CONNECTION_OPEN_ID,
  CONTENT_HEADER_FIXED_SIZE,
  contentHeaderBodySize,
  contentHeaderClassId,
  decodeBasicProperties,
  decodeMethod,
  encodeBodyFrame,
  encodeContentHeader,
  encodeHeartbeat,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  METHODS,
  PROTOCOL_HEADER,
  readU16,
  readU32,
  sizeOfContentHeader,
  sizeOfMethod,
} from '../index.ts';
import { readRecording } from './recording.ts';

const HEADER_SIZE = 7;

/** Decodes the frame and encodes what came out. */
function recode(frame: Buffer): Buffer {
  const channel = readU16(frame, 1);
  const end = frame.length - 1;
  const out = Buffer.alloc(frame.length);
  switch (frame[0]) {
    case FRAME_METHOD: {
      const method = decodeMethod(readU32(frame, HEADER_SIZE), new ByteReader(frame, 11, end));
      if (method === null) throw new Error('unknown method');
      if (sizeOfMethod(method) !== frame.length) throw new Error('the size is wrong');
      return out.subarray(0, encodeMethod(out, 0, channel, method));
    }
    case FRAME_HEADER: {
      const at = HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE;
      const properties = decodeBasicProperties(new ByteReader(frame, at, end));
      const classId = contentHeaderClassId(frame, HEADER_SIZE);
      const bodySize = contentHeaderBodySize(frame, HEADER_SIZE);
      if (sizeOfContentHeader(properties) !== frame.length) throw new Error('the size is wrong');
      if (new BasicPropertiesView().reset(frame, at, end).endAt() !== end) {
        throw new Error('the view ends elsewhere');
      }
      return out.subarray(0, encodeContentHeader(out, 0, channel, classId, bodySize, properties));
    }
    case FRAME_BODY:
      return out.subarray(0, encodeBodyFrame(out, 0, channel, frame, HEADER_SIZE, end));
    case FRAME_HEARTBEAT:
      return out.subarray(0, encodeHeartbeat(out, 0));
    default:
      throw new Error(`frame type ${frame[0]}`);
  }
}

function nameOf(frame: Buffer): string {
  if (frame[0] !== FRAME_METHOD) return `frame of type ${frame[0]}`;
  const id = readU32(frame, HEADER_SIZE);
  const method = METHODS.find((candidate) => candidate.id === id);
  return `${method?.className}.${method?.methodName}`;
}

/** pika sets a bit of connection.open that 0-9-1 reserves (it was `insist`); ours is zero. */
function withoutReservedBit(frame: Buffer): Buffer {
  if (frame[0] !== FRAME_METHOD || readU32(frame, HEADER_SIZE) !== CONNECTION_OPEN_ID) return frame;
  const cleared = Buffer.from(frame);
  cleared[cleared.length - 2] = 0;
  return cleared;
}

for (const client of ['amqplib', 'pika'] as const) {
  const recording = readRecording(client);
  t.test(`the session of ${recording.client} begins with our protocol header`, (t) => {
    t.equal(recording.toServer[0]?.toString('hex'), PROTOCOL_HEADER.toString('hex'));
    t.end();
  });

  t.test(`every frame of ${recording.client} decodes and encodes to the same octets`, (t) => {
    for (const frame of recording.toServer.slice(1)) {
      t.equal(
        recode(frame).toString('hex'),
        withoutReservedBit(frame).toString('hex'),
        nameOf(frame),
      );
    }
    t.end();
  });

  t.test(`every frame of ${recording.broker} to ${recording.client} does so too`, (t) => {
    for (const frame of recording.toClient) {
      t.equal(recode(frame).toString('hex'), frame.toString('hex'), nameOf(frame));
    }
    t.end();
  });
}

t.test('the recordings hold most methods that clients use', (t) => {
  const recordings = [readRecording('amqplib'), readRecording('pika')];
  const frames = recordings.flatMap(({ toServer, toClient }) => [
    ...toServer.slice(1),
    ...toClient,
  ]);
  const names = new Set(frames.map(nameOf));
  for (const name of [
    'connection.start',
    'basic.publish',
    'basic.return',
    'basic.nack',
    'tx.commit',
  ]) {
    t.ok(names.has(name), name);
  }
  t.ok(names.size >= 55, `${names.size} kinds of frames`);
  t.end();
});
