// Frames of every kind cut anywhere are scanned in generated/tests/frame-stream.test.ts; here is what
// the scanner refuses, and what its sink may do.
import t from 'tap';
import { FrameScanner, type FrameSink } from './frame-scanner.ts';
import { encodeBodyFrame, encodeHeartbeat, finishFrame } from './frame-writer.ts';
import { wireErrorOf } from './testing/wire-error-of.ts';

/** Notes what it is given as text. */
class NotingSink implements FrameSink {
  readonly notes: string[] = [];
  scanner: FrameScanner | null = null;
  stopAtType = 0;

  onFrame(type: number, channel: number, buf: Buffer, start: number, end: number): number {
    this.notes.push(`${type}/${channel} ${buf.toString('hex', start, end)}`);
    if (type === this.stopAtType && this.scanner !== null) this.scanner.stopRequested = true;
    return end + 1;
  }

  onBodyPiece(channel: number, buf: Buffer, start: number, end: number, left: number): void {
    this.notes.push(`piece/${channel} ${buf.toString('hex', start, end)} left ${left}`);
  }
}

function methodFrame(channel: number, payload: readonly number[]): Buffer {
  const frame = Buffer.alloc(8 + payload.length);
  Buffer.from(payload).copy(frame, 7);
  finishFrame(frame, 0, 1, channel, 7 + payload.length);
  return frame;
}

function bodyFrame(channel: number, payload: readonly number[]): Buffer {
  const frame = Buffer.alloc(8 + payload.length);
  encodeBodyFrame(frame, 0, channel, Buffer.from(payload));
  return frame;
}

function heartbeat(): Buffer {
  const frame = Buffer.alloc(8);
  encodeHeartbeat(frame, 0);
  return frame;
}

function scanAll(chunks: readonly Buffer[], maxPayloadSize = 100): NotingSink {
  const sink = new NotingSink();
  const scanner = new FrameScanner(sink, maxPayloadSize);
  for (const chunk of chunks) scanner.scan(chunk, 0, chunk.length);
  return sink;
}

t.test('frames of one chunk are handed over in order', (t) => {
  const chunk = Buffer.concat([methodFrame(1, [1, 2]), bodyFrame(0x0203, [9]), heartbeat()]);
  t.same(scanAll([chunk]).notes, ['1/1 0102', '3/515 09', '8/0 ']);
  t.end();
});

t.test('a body cut by the chunks comes in pieces, the last one with its end octet', (t) => {
  const frame = bodyFrame(1, [1, 2, 3]);
  t.same(scanAll([frame.subarray(0, 9), frame.subarray(9)]).notes, [
    'piece/1 0102 left 1',
    'piece/1 03 left 0',
  ]);
  t.same(scanAll([frame.subarray(0, 10), frame.subarray(10)]).notes, [
    'piece/1 010203 left 1',
    'piece/1  left 0',
  ]);
  t.end();
});

t.test('midFrame tells whether the bytes end inside a frame', (t) => {
  for (const frame of [methodFrame(1, [1, 2]), bodyFrame(1, [1, 2]), bodyFrame(1, [])]) {
    for (let cut = 0; cut <= frame.length; cut++) {
      const scanner = new FrameScanner(new NotingSink(), 100);
      scanner.scan(frame, 0, cut);
      t.equal(scanner.midFrame, cut > 0 && cut < frame.length, `type ${frame[0]} cut at ${cut}`);
    }
  }
  t.end();
});

t.test('a payload above the maximum is a frame error once its size is known', (t) => {
  const frame = methodFrame(1, [1, 2, 3, 4]);
  t.equal(scanAll([frame], 4).notes.length, 1);
  t.match(
    wireErrorOf(() => scanAll([frame], 3)),
    { replyCode: 501, message: 'type 1, all octets = <<>>: {frame_too_large,4,-5}' },
  );
  t.match(
    wireErrorOf(() => scanAll([frame.subarray(0, 5), frame.subarray(5, 7)], 3)),
    { message: /frame_too_large/ },
    'the size cut by chunks',
  );
  t.end();
});

t.test('a size of 4 GiB is refused, not taken for negative', (t) => {
  const frame = Buffer.from('010001ffffffff', 'hex');
  t.match(
    wireErrorOf(() => scanAll([frame])),
    { message: /frame_too_large,4294967295,92/ },
  );
  t.end();
});

t.test('a wrong end octet is a frame error, however the frame is cut', (t) => {
  for (const frame of [methodFrame(1, [7, 8]), bodyFrame(1, [7, 8])]) {
    frame[frame.length - 1] = 0xcd;
    for (let cut = 0; cut < frame.length; cut++) {
      const chunks = [frame.subarray(0, cut), frame.subarray(cut)];
      const error = wireErrorOf(() => scanAll(chunks));
      t.match(error, { replyCode: 501, message: /invalid_frame_end_marker,205/ });
    }
  }
  t.match(
    wireErrorOf(() => scanAll([Buffer.from('0100010000000207 08cd'.replace(' ', ''), 'hex')])),
    { message: 'type 1, all octets = <<7,8>>: {invalid_frame_end_marker,205}' },
  );
  t.end();
});

t.test('a long payload is shown by its first 16 octets', (t) => {
  const frame = methodFrame(
    1,
    Array.from({ length: 17 }, (_, i) => i),
  );
  frame[frame.length - 1] = 0;
  t.match(
    wireErrorOf(() => scanAll([frame])),
    { message: /^type 1, first 16 octets = <<0,1,.*,15>>: / },
  );
  t.end();
});

t.test('a sink that asks to stop gets the rest when it is passed again', (t) => {
  const sink = new NotingSink();
  const scanner = new FrameScanner(sink, 100);
  sink.scanner = scanner;
  sink.stopAtType = 8;
  const chunk = Buffer.concat([methodFrame(1, [1]), heartbeat(), methodFrame(1, [2])]);
  const at = scanner.scan(chunk, 0, chunk.length);
  t.equal(at, 9 + 8);
  t.same(sink.notes, ['1/1 01', '8/0 ']);
  t.equal(scanner.scan(chunk, at, chunk.length), chunk.length);
  t.same(sink.notes, ['1/1 01', '8/0 ', '1/1 02']);
  t.end();
});

t.test('a sink may take the frames that follow as well', (t) => {
  const taken: number[] = [];
  const sink: FrameSink = {
    onFrame(type, _channel, _buf, _start, end, limit) {
      taken.push(type);
      return type === 1 ? limit : end + 1;
    },
    onBodyPiece() {
      taken.push(-1);
    },
  };
  const chunk = Buffer.concat([heartbeat(), methodFrame(1, [1]), heartbeat(), heartbeat()]);
  const scanner = new FrameScanner(sink, 100);
  t.equal(scanner.scan(chunk, 0, chunk.length), chunk.length);
  t.same(taken, [8, 1]);
  t.end();
});

t.test('an incomplete frame holds what has come of it, and nothing once it is whole', (t) => {
  const sink = new NotingSink();
  const scanner = new FrameScanner(sink, 100_000);
  const frame = methodFrame(
    1,
    Array.from({ length: 90_000 }, () => 7),
  );
  t.equal(scanner.carriedBytes, 0);
  for (const [from, to] of [
    [0, 5],
    [5, 3000],
    [3000, 60_000],
  ] as const) {
    scanner.scan(frame, from, to);
    t.ok(scanner.carriedBytes >= to, `${scanner.carriedBytes} of ${to}`);
    t.ok(scanner.carriedBytes <= Math.max(512, 2 * to), `${scanner.carriedBytes} for ${to}`);
  }
  scanner.scan(frame, 60_000, frame.length);
  t.equal(sink.notes.length, 1);
  t.equal(scanner.carriedBytes, 0);
  t.end();
});
