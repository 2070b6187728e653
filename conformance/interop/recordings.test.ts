// What other people's clients were recorded to send is whole, and our protocol library understands it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  ByteReader,
  CONTENT_HEADER_FIXED_SIZE,
  decodeBasicProperties,
  decodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  METHODS,
  PROTOCOL_HEADER,
  readU32,
} from '../../generated/index.ts';

const DIRECTORY = join(import.meta.dirname, '../../../server/testing/recordings');
const METHOD_ID_SIZE = 4;

const recordings = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ file, frames: framesOf(file) }));

function framesOf(file: string): Buffer[] {
  const text = readFileSync(join(DIRECTORY, file), 'utf8');
  const { toServer } = JSON.parse(text) as { toServer: string[] }; // as record.ts writes it
  return toServer.map((hex) => Buffer.from(hex, 'hex'));
}

/** The method's name, or what else the frame is. */
function understand(frame: Buffer): string {
  const end = frame.length - 1;
  switch (frame[0]) {
    case FRAME_METHOD: {
      const id = readU32(frame, FRAME_HEADER_SIZE);
      const fields = new ByteReader(frame, FRAME_HEADER_SIZE + METHOD_ID_SIZE, end);
      if (decodeMethod(id, fields) === null) throw new Error(`unknown method ${id}`);
      const method = METHODS.find((candidate) => candidate.id === id);
      return `${method?.className}.${method?.methodName}`;
    }
    case FRAME_HEADER: {
      const at = FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE;
      decodeBasicProperties(new ByteReader(frame, at, end));
      return 'content header';
    }
    case FRAME_BODY:
      return 'body';
    case FRAME_HEARTBEAT:
      return 'heartbeat';
    default:
      throw new Error(`frame type ${frame[0]}`);
  }
}

t.test('every recorded session is decoded whole, from the header to the close', (t) => {
  for (const { file, frames } of recordings) {
    t.equal(frames[0]?.toString('hex'), PROTOCOL_HEADER.toString('hex'), file);
    const names = frames.slice(1).map(understand);
    t.equal(names[0], 'connection.start-ok', file);
    t.ok(names.includes('connection.close'), file);
  }
  t.end();
});

t.test('the recordings hold what clients do with messages, from ten clients', (t) => {
  const clients = new Set(recordings.map(({ file }) => file.replace(/-(settle|headers|tx).*/, '')));
  t.equal(clients.size, 10);
  const names = new Set(recordings.flatMap(({ frames }) => frames.slice(1).map(understand)));
  for (const name of [
    'basic.publish',
    'basic.nack',
    'basic.reject',
    'basic.recover',
    'tx.commit',
  ]) {
    t.ok(names.has(name), name);
  }
  t.end();
});
