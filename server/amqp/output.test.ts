import type { Socket } from 'node:net';
import t from 'tap';
import { Output, SLAB_SIZE, SlabPool, SMALL_SLAB_SIZE } from './output.ts';

/** A socket that takes what it is given at once, or keeps it until told. */
class FakeSocket {
  encrypted = false;
  destroyed = false;
  takesAll = true;
  writableLength = 0;
  readonly written: Buffer[] = [];
  private readonly kept: (() => void)[] = [];

  write(bytes: Buffer, callback: () => void): boolean {
    this.written.push(bytes);
    if (this.takesAll) {
      queueMicrotask(callback);
    } else {
      this.writableLength += bytes.length;
      this.kept.push(() => {
        this.writableLength -= bytes.length;
        callback();
      });
    }
    return true;
  }

  /** The kernel takes the oldest write. */
  takeOne(): void {
    this.kept.shift()?.();
  }

  destroy(): void {
    this.destroyed = true;
    for (const fail of this.kept.splice(0)) fail();
  }
}

function setUp({ encrypted } = { encrypted: false }) {
  const socket = new FakeSocket();
  socket.encrypted = encrypted;
  const pool = new SlabPool();
  const events: string[] = [];
  const owner = {
    outputMarked: () => events.push('marked'),
    outputDrained: () => events.push('drained'),
  };
  // Of a socket it uses these few things.
  const output = new Output(socket as unknown as Socket, pool, owner);
  const put = (text: string) => output.write(Buffer.from(text));
  return { socket, pool, events, output, put };
}

t.test('frames of a turn leave with one write, and mark the output once', async (t) => {
  const { socket, events, output, put } = setUp();
  put('one ');
  put('two');
  t.same(events, ['marked']);
  t.equal(output.pendingBytes, 7);
  output.flush();
  t.same(socket.written.map(String), ['one two']);
  t.equal(output.pendingBytes, 0);
  t.ok(output.hasSent);
  put('three');
  t.same(events, ['marked', 'marked']);
});

t.test('a slab whose bytes were taken at once is used again', async (t) => {
  const { socket, output, put } = setUp();
  put('one');
  output.flush();
  put('two');
  output.flush();
  t.equal(socket.written[0]?.buffer, socket.written[1]?.buffer);
  t.notOk(output.isBlocked);
});

t.test('a slab that the socket still holds is not touched', async (t) => {
  const { socket, events, output, put } = setUp();
  socket.takesAll = false;
  put('one');
  output.flush();
  t.ok(output.isBlocked);
  put('two');
  output.flush();
  t.equal(output.pendingBytes, 6);
  t.same(socket.written.map(String), ['one', 'two']);
  socket.takeOne();
  t.ok(output.isBlocked, 'while the second write waits');
  socket.takeOne();
  t.notOk(output.isBlocked);
  t.same(events, ['marked', 'marked', 'drained']);
  put('three');
  output.flush();
  const first = [socket.written[0]!, socket.written[1]!].map(({ buffer }) => buffer);
  t.ok(first.includes(socket.written[2]!.buffer), 'both came back');
});

t.test('over TLS, where no write ends at once, what two slabs hold blocks nothing', async (t) => {
  const { socket, events, output, put } = setUp({ encrypted: true });
  socket.takesAll = false;
  const slab = 'x'.repeat(SLAB_SIZE);
  for (let held = 1; held <= 2; held++) {
    put(slab);
    output.flush();
    t.notOk(output.isBlocked, `${held} slabs`);
  }
  put('more');
  output.flush();
  t.ok(output.isBlocked);
  t.notSame(events.at(-1), 'drained');
  socket.takeOne();
  t.notOk(output.isBlocked);
  t.equal(events.at(-1), 'drained');
  t.same(
    socket.written.map(({ length }) => length),
    [SLAB_SIZE, SLAB_SIZE, 4],
  );
});

t.test('what does not fit leaves first, and what is larger gets its own memory', async (t) => {
  const { socket, output } = setUp();
  output.write(Buffer.alloc(SLAB_SIZE - 1, 1));
  output.write(Buffer.alloc(5000, 2));
  t.same(
    socket.written.map(({ length }) => length),
    [SLAB_SIZE - 1],
  );
  output.write(Buffer.alloc(3 * SLAB_SIZE, 3));
  output.flush();
  t.same(
    socket.written.map(({ length }) => length),
    [SLAB_SIZE - 1, 5000, 3 * SLAB_SIZE],
  );
});

t.test('a turn begins in a small slab and moves to a large one, as one write', async (t) => {
  const { socket, pool, output } = setUp();
  const frames = Array.from({ length: 100 }, (_, i) => Buffer.alloc(90, i));
  for (const frame of frames) output.write(frame);
  t.equal(pool.usedBytes, SLAB_SIZE);
  output.flush();
  t.same(socket.written, [Buffer.concat(frames)]);
});

t.test('a thousand connections that have little to say take no whole slab each', async (t) => {
  const pool = new SlabPool();
  const owner = { outputMarked: () => undefined, outputDrained: () => undefined };
  for (let i = 0; i < 1000; i++) {
    const output = new Output(new FakeSocket() as unknown as Socket, pool, owner);
    output.write(Buffer.from('start'));
  }
  t.equal(pool.usedBytes, 1000 * SMALL_SLAB_SIZE);
});

t.test('an idle output holds no slab, and slabs are shared', async (t) => {
  const pool = new SlabPool();
  const owner = { outputMarked: () => undefined, outputDrained: () => undefined };
  const sockets = [new FakeSocket(), new FakeSocket()];
  for (const socket of sockets) {
    const output = new Output(socket as unknown as Socket, pool, owner);
    output.write(Buffer.from('x'));
    output.flush();
  }
  t.equal(sockets[0]!.written[0]!.buffer, sockets[1]!.written[0]!.buffer);
});

t.test('a socket that is gone gets nothing, and asks for nothing', async (t) => {
  const { socket, events, output, put } = setUp();
  socket.takesAll = false;
  put('one');
  output.flush();
  socket.destroy();
  t.ok(output.isBlocked, 'deliveries have nowhere to go');
  t.notOk(events.includes('drained'));
  put('two');
  output.flush();
  t.equal(socket.written.length, 1);
  t.equal(output.pendingBytes, 0);
});

t.test('a socket that went while idle blocks deliveries from the first flush on', async (t) => {
  const { socket, output, put } = setUp();
  socket.destroy();
  put('one');
  output.flush();
  t.ok(output.isBlocked);
});

t.test('a peer that takes nothing costs one more slab, however often it is answered', async (t) => {
  const { socket, pool, events, output, put } = setUp();
  socket.takesAll = false;
  put('first ');
  output.endTurn();
  for (let turn = 0; turn < 1000; turn++) {
    put(`${turn} `);
    output.endTurn();
  }
  t.equal(pool.usedBytes, 2 * SMALL_SLAB_SIZE);
  t.equal(socket.written.length, 1);
  t.ok(output.pendingBytes > 3000);
  const before = events.length;
  socket.takesAll = true;
  socket.takeOne();
  t.match(socket.written.map(String), ['first ', /^0 1 2 .* 999 $/]);
  t.same(events.slice(before), ['drained']);
  t.equal(output.pendingBytes, 0);
});

t.test('what waits for a peer leaves at once where the connection is about to end', async (t) => {
  const { socket, output, put } = setUp();
  socket.takesAll = false;
  put('first');
  output.endTurn();
  put('goodbye');
  output.flush();
  t.same(socket.written.map(String), ['first', 'goodbye']);
});
