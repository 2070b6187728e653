// The frame scanner on streams of generated frames: cut once, cut everywhere, cut at random.
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { FrameScanner, type FrameSink } from '../index.ts';
import {
  encodedBody,
  encodedHeader,
  encodedHeartbeat,
  encodedMethod,
  frames,
} from './arbitraries.ts';
import { readRecording } from './recording.ts';

const MAX_PAYLOAD_SIZE = 1 << 20;

/** Puts every frame together again, copying at once: what it is given is borrowed. */
class GatheringSink implements FrameSink {
  readonly frames: string[] = [];
  private body: Buffer[] = [];

  onFrame(type: number, channel: number, buf: Buffer, start: number, end: number): number {
    if (this.body.length > 0) throw new Error('a frame came inside a body frame');
    if (buf[end] !== 0xce) throw new Error('the end octet is not behind the payload');
    this.frames.push(`${type}/${channel} ${buf.toString('hex', start, end)}`);
    return end + 1;
  }

  onBodyPiece(channel: number, buf: Buffer, start: number, end: number, left: number): void {
    this.body.push(Buffer.from(buf.subarray(start, end)));
    if (left > 0) return;
    this.frames.push(`3/${channel} ${Buffer.concat(this.body).toString('hex')}`);
    this.body = [];
  }
}

/** What must come out of this stream: cut by the sizes it carries. */
function expectedFrames(stream: Buffer): readonly string[] {
  const expected: string[] = [];
  for (let at = 0; at + 7 < stream.length; ) {
    const end = at + 7 + stream.readUInt32BE(at + 3);
    if (end >= stream.length) break;
    const payload = stream.toString('hex', at + 7, end);
    expected.push(`${stream[at]}/${stream.readUInt16BE(at + 1)} ${payload}`);
    at = end + 1;
  }
  return expected;
}

/** Scans the stream in pieces; each piece is a buffer of its own, overwritten once it is scanned. */
function scanInPieces(stream: Buffer, cuts: readonly number[]): readonly string[] {
  const sink = new GatheringSink();
  const scanner = new FrameScanner(sink, MAX_PAYLOAD_SIZE);
  const edges = [0, ...cuts, stream.length];
  for (let i = 1; i < edges.length; i++) {
    const piece = Buffer.from(stream.subarray(edges[i - 1], edges[i]));
    if (scanner.scan(piece, 0, piece.length) !== piece.length) throw new Error('scan stopped');
    piece.fill(0xdb);
  }
  return sink.frames;
}

function isSame(actual: readonly string[], expected: readonly string[]): boolean {
  return actual.length === expected.length && actual.every((frame, i) => frame === expected[i]);
}

const streams = fc.array(frames, { maxLength: 6 }).map((list) => Buffer.concat(list));

t.test('a stream cut at random places scans to the same frames', (t) => {
  checkProperty(
    t,
    fc.property(streams, fc.array(fc.nat(), { maxLength: 12 }), (stream, numbers) => {
      const cuts = numbers.map((n) => n % (stream.length + 1)).sort((a, b) => a - b);
      return isSame(scanInPieces(stream, cuts), expectedFrames(stream));
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('every prefix of a stream scans to the frames that are whole in it', (t) => {
  checkProperty(
    t,
    fc.property(streams, fc.nat(), (stream, n) => {
      const prefix = stream.subarray(0, n % (stream.length + 1));
      return isSame(scanInPieces(prefix, []), expectedFrames(prefix));
    }),
    { numRuns: 500 },
  );
  t.end();
});

const oneOfEach = Buffer.concat([
  encodedMethod(1, { id: 3_932_240, name: 'basic.ack', args: { deliveryTag: 7, multiple: true } }),
  encodedHeader(1, 3, { deliveryMode: 2 }),
  encodedBody(1, Buffer.from('abc')),
  encodedHeartbeat(),
  encodedBody(2, Buffer.alloc(0)),
  encodedMethod(2, { id: 5_898_250, name: 'tx.select', args: {} }),
]);

t.test('a stream of every frame type scans to the same frames octet by octet', (t) => {
  const everywhere = Array.from({ length: oneOfEach.length - 1 }, (_, i) => i + 1);
  t.same(scanInPieces(oneOfEach, everywhere), expectedFrames(oneOfEach));
  t.equal(expectedFrames(oneOfEach).length, 6);
  t.end();
});

t.test('a stream of every frame type scans to the same frames cut at any two places', (t) => {
  const expected = expectedFrames(oneOfEach);
  let wrong = 0;
  for (let first = 0; first <= oneOfEach.length; first++) {
    for (let second = first; second <= oneOfEach.length; second++) {
      if (!isSame(scanInPieces(oneOfEach, [first, second]), expected)) wrong += 1;
    }
  }
  t.equal(wrong, 0);
  t.end();
});

t.test('every prefix of a stream of every frame type scans to its whole frames', (t) => {
  for (let end = 0; end <= oneOfEach.length; end++) {
    const prefix = oneOfEach.subarray(0, end);
    t.same(scanInPieces(prefix, []), expectedFrames(prefix), `up to ${end}`);
  }
  t.end();
});

for (const client of ['amqplib', 'pika'] as const) {
  t.test(`a session of ${client} scans to the same frames cut at any one place`, (t) => {
    const { toServer, toClient } = readRecording(client);
    for (const stream of [Buffer.concat(toServer.slice(1)), Buffer.concat(toClient)]) {
      const expected = expectedFrames(stream);
      let wrong = 0;
      for (let cut = 0; cut <= stream.length; cut++) {
        if (!isSame(scanInPieces(stream, [cut]), expected)) wrong += 1;
      }
      t.equal(wrong, 0, `${expected.length} frames`);
    }
    t.end();
  });
}
