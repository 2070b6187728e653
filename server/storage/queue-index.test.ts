/**
 * Goal: the index keeps order, counts and bytes whatever happens to its messages, wherever its rows lie. Method: random
 * verbs on the index and on a plain array, compared after each; rows of 16 entries, so that they roll, spill and load.
 */
import fc from 'fast-check';
import t from 'tap';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { ChunkStore } from './chunk-store.ts';
import { FileCache } from './file-cache.ts';
import type { ReferenceSink } from './index-home.ts';
import { decodePart, encodePart } from './index-part.ts';
import {
  discardAllBut,
  discardRange,
  finishReplay,
  restoreDeliveryCount,
  restoreMessage,
} from './index-replay.ts';
import { forEachMessageIn } from './index-walk.ts';
import { positionAt, segmentOf } from './position.ts';
import { NOT_LOADED, QueueIndex } from './queue-index.ts';

const ROW_ENTRIES = 16;

interface ModelMessage {
  readonly sequence: number;
  readonly position: number;
  readonly size: number;
  state: 'ready' | 'unacked';
  /** It came back in this life of the index. */
  isBack: boolean;
  returns: number;
}

/** Counts references as the log does: by segment, and one by one where a record is not written yet. */
class Counters implements ReferenceSink {
  unwrittenFrom = Number.POSITIVE_INFINITY;
  readonly live = new Map<number, number>();
  bytes = 0;
  unwritten = 0;

  add(position: number, bytes: number): void {
    this.count(segmentOf(position), 1);
    this.bytes += bytes;
  }

  release(position: number, bytes: number): void {
    if (position >= this.unwrittenFrom) this.unwritten--;
    this.releaseMany(segmentOf(position), 1, bytes);
  }

  releaseMany(segment: number, count: number, bytes: number): void {
    this.count(segment, -count);
    this.bytes -= bytes;
  }

  private count(segment: number, by: number): void {
    this.live.set(segment, (this.live.get(segment) ?? 0) + by);
  }
}

/** A plain list of messages, and the index that must agree with it. */
class Checked {
  index: QueueIndex;
  messages: ModelMessage[];
  readonly counters: Counters;
  readonly fs: SimulatedFs;
  chunks: ChunkStore;
  private next: number;
  private isApproximate = false;
  private readonly perSegment: number;

  constructor(isDurable: boolean, perSegment: number) {
    this.fs = new SimulatedFs();
    this.fs.makeDirectory('/data');
    this.chunks = this.newChunks();
    this.index = new QueueIndex(isDurable ? 1 : 0, isDurable);
    this.index.home = this.chunks;
    this.messages = [];
    this.counters = new Counters();
    this.next = 1;
    this.perSegment = perSegment;
  }

  async append(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const sequence = this.next++;
      // Now and then an old position, as of a message that came by reference.
      const at = sequence % 7 === 0 ? Math.ceil(sequence / 2) : sequence;
      const position = positionAt(1 + Math.floor(at / this.perSegment), 100 + 8 * sequence);
      const size = sequence % 11;
      equal(this.index.append(position, size), sequence, 'number');
      this.counters.add(position, size);
      this.messages.push({ sequence, position, size, state: 'ready', isBack: false, returns: 0 });
    }
  }

  async take(count: number): Promise<void> {
    const { index } = this;
    for (const message of this.inState('ready').slice(0, count)) {
      equal(index.peekSequence(), message.sequence, 'peeked number');
      if (index.peekPosition() === NOT_LOADED) await this.load();
      equal(index.peekPosition(), message.position, 'peeked position');
      index.take(message.size);
      equal(index.takenSequence, message.sequence, 'taken number');
      equal(index.takenPosition, message.position, 'taken position');
      const redelivered = message.isBack || message.sequence <= index.redeliveredUpTo;
      equal(index.takenRedelivered, redelivered, 'redelivered');
      message.state = 'unacked';
    }
  }

  /** Takes what can be taken in runs, and the others one by one. */
  async takeRuns(count: number): Promise<void> {
    const { index } = this;
    for (let left = Math.min(count, index.readyCount); left > 0; ) {
      equal(index.peekSequence(), this.inState('ready')[0]!.sequence, 'next before a run');
      if (index.peekPosition() === NOT_LOADED) await this.load();
      const length = Math.min(left, index.runLength);
      if (length === 0) {
        await this.take(1);
        left--;
        continue;
      }
      const run = this.inState('ready').slice(0, length);
      const positions = index.runPositions.slice(index.runFrom, index.runFrom + length);
      equal(positions.join(), run.map(({ position }) => position).join(), 'positions of a run');
      index.takeRun(length, bytesOf(run));
      equal(index.takenSequence, run[length - 1]!.sequence, 'last of a run');
      for (const message of run) message.state = 'unacked';
      left -= length;
    }
  }

  /** Settles what can be settled together from one of the unacked messages on. */
  async settleRun(from: number): Promise<void> {
    const unacked = this.inState('unacked');
    const first = unacked[from % Math.max(1, unacked.length)];
    if (first === undefined) return;
    const span = this.index.rowSpan(first.sequence);
    const run = unacked.filter(({ sequence, position }, i) => {
      const distance = sequence - first.sequence;
      const isNext = i === unacked.indexOf(first) + distance;
      return isNext && distance < span && segmentOf(position) === segmentOf(first.position);
    });
    const end = run.findIndex(({ sequence }, i) => sequence !== first.sequence + i);
    const whole = end < 0 ? run : run.slice(0, end);
    this.index.settleRun(first.sequence, whole.length, first.position, bytesOf(whole));
    for (const { position, size } of whole) this.counters.release(position, size);
    this.messages = this.messages.filter((m) => !whole.includes(m));
  }

  async settle(isChosen: (i: number) => boolean): Promise<void> {
    const gone = new Set(this.inState('unacked').filter((_m, i) => isChosen(i)));
    for (const { sequence, position, size } of gone) {
      this.index.settle(sequence, position, size);
      this.counters.release(position, size);
    }
    this.messages = this.messages.filter((m) => !gone.has(m));
  }

  async requeue(isChosen: (i: number) => boolean): Promise<void> {
    const chosen = this.inState('unacked').filter((_m, i) => isChosen(i));
    for (const message of chosen.reverse()) {
      message.state = 'ready';
      message.isBack = true;
      message.returns++;
      const { sequence, position, size, returns } = message;
      equal(this.index.requeue(sequence, position, size), returns, 'delivery count');
    }
  }

  /** Purges, while everything from the message `unwritten` before the last on is not yet written. */
  async purge(unwritten: number): Promise<void> {
    const from = this.messages[Math.max(0, this.messages.length - unwritten)]?.position;
    // Rows that a spill has taken out of memory are written.
    const isSafe = this.messages.every(
      (m) => m.position < (from ?? 0) || isLoaded(this.index, m.sequence),
    );
    const { counters } = this;
    counters.unwrittenFrom = isSafe && from !== undefined ? from : Number.POSITIVE_INFINITY;
    const isUnwritten = (m: ModelMessage): boolean => m.position >= counters.unwrittenFrom;
    counters.unwritten = this.messages.filter(isUnwritten).length;
    // The bytes of what goes are apportioned to the segments, where something stays.
    if (this.inState('unacked').length > 0) this.isApproximate = true;
    const gone = this.inState('ready').length;
    equal(this.index.purgeReady(counters), gone, 'purged');
    this.messages = this.inState('unacked');
    equal(counters.unwritten, this.messages.filter(isUnwritten).length, 'unwritten references');
    counters.unwrittenFrom = Number.POSITIVE_INFINITY;
  }

  /** The index goes through a checkpoint, and what happened since is replayed. */
  async restart(replay: 'nothing' | 'settles' | 'purge', from: number): Promise<void> {
    if (!this.index.durable) return;
    if (replay !== 'nothing') this.isApproximate = true;
    const part = encodePart(this.index, 0, (index, row) => this.chunks.store(index, row));
    const sequences = this.messages.map((m) => m.sequence);
    const first = sequences[from % Math.max(1, sequences.length)] ?? 1;
    this.chunks = this.newChunks();
    this.index = decodePart(part, 0, ROW_ENTRIES).part.index;
    this.chunks.adoptRecovered(this.index);
    equal(this.chunks.files.isComplete(this.index), true, 'slots');
    if (replay === 'settles') {
      discardRange(this.index, first, first + 40);
      this.forget((m) => m.sequence >= first && m.sequence <= first + 40);
    } else if (replay === 'purge') {
      discardAllBut(this.index, first + 60, [first, first + 2, first + 20, first + 30]);
      this.forget(
        (m) =>
          m.sequence < first ||
          (m.sequence > first + 2 && m.sequence < first + 20) ||
          (m.sequence > first + 30 && m.sequence <= first + 60),
      );
    }
    for (const message of this.messages) {
      message.state = 'ready';
      message.isBack = false;
    }
    finishReplay(this.index, bytesOf(this.messages));
  }

  async drop(): Promise<void> {
    this.index.drop(this.counters);
    this.chunks.files.dropped(this.index);
    this.messages = [];
    // What a replay takes out of a row has its share of the bytes there, no more.
    if (!this.isApproximate) equal(this.counters.bytes, 0, 'bytes in segments');
  }

  async compare(): Promise<void> {
    const { index, messages } = this;
    const ready = this.inState('ready');
    const unacked = this.inState('unacked');
    equal(index.readyCount, ready.length, 'ready');
    equal(index.unackedCount, unacked.length, 'unacked');
    equal(index.readyBytes, bytesOf(ready), 'ready bytes');
    equal(index.unackedBytes, bytesOf(unacked), 'unacked bytes');
    equal(index.peekSequence(), ready[0]?.sequence ?? 0, 'next');
    const unsettled: string[] = [];
    index.forEachUnsettled((sequence, position) => unsettled.push(`${sequence}@${position}`));
    equal(unsettled.join(), messages.map((m) => `${m.sequence}@${m.position}`).join(), 'unsettled');
    equal(numbersIn(index.unsettledRanges()), messages.map((m) => m.sequence).join(), 'ranges');
    for (const { sequence, returns, position } of messages.slice(0, 50)) {
      equal(index.deliveryCount(sequence), returns, 'delivery count');
      equal(index.positionOf(sequence), position, 'position');
    }
    equal(this.countsByModel(), this.countsBySegment(), 'references by segment');
    const inRows = Array.from(index.rows.views(), ({ live }) => live).reduce(
      (sum, live) => sum + live,
      0,
    );
    equal(inRows, messages.length, 'live in rows');
    await this.compareWalk();
  }

  /** Every segment's messages are found by a walk, and no others. */
  private async compareWalk(): Promise<void> {
    const segment = 1 + Math.floor((this.next * 0.7) / this.perSegment);
    const found: number[] = [];
    await forEachMessageIn([this.index], this.chunks, segment, (_i, sequence) => {
      found.push(sequence);
    });
    const expected = this.messages.filter((m) => segmentOf(m.position) === segment);
    equal(found.join(), expected.map((m) => m.sequence).join(), 'walk');
  }

  private countsByModel(): string {
    const counts = new Map<number, number>();
    for (const { position } of this.messages) {
      counts.set(segmentOf(position), (counts.get(segmentOf(position)) ?? 0) + 1);
    }
    return [...counts].sort(([a], [b]) => a - b).join(' ');
  }

  /** What the log counts and what the rows say must be the same. */
  private countsBySegment(): string {
    const logged = [...this.counters.live].filter(([, count]) => count !== 0);
    const rows = new Map<number, number>();
    for (const row of this.index.rows.views()) {
      for (let at = 0; at < row.segments.length; at += 3) {
        const segment = row.segments[at]!;
        rows.set(segment, (rows.get(segment) ?? 0) + row.segments[at + 1]!);
      }
    }
    const inRows = [...rows].filter(([, count]) => count !== 0).sort(([a], [b]) => a - b);
    equal(logged.sort(([a], [b]) => a - b).join(' '), inRows.join(' '), 'log and rows');
    return inRows.join(' ');
  }

  private newChunks(): ChunkStore {
    return new ChunkStore({
      fs: this.fs,
      directory: '/data',
      rowEntries: ROW_ENTRIES,
      nowMs: () => 0,
    });
  }

  private load(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.chunks.load(this.index, this.index.cursorRow!, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  private forget(isGone: (message: ModelMessage) => boolean): void {
    for (const m of this.messages) if (isGone(m)) this.counters.release(m.position, m.size);
    this.messages = this.messages.filter((m) => !isGone(m));
  }

  private inState(state: ModelMessage['state']): ModelMessage[] {
    return this.messages.filter((m) => m.state === state);
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

function bytesOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, { size }) => sum + size, 0);
}

function numbersIn(ranges: readonly number[]): string {
  const numbers: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let n = ranges[i]!; n <= ranges[i + 1]!; n++) numbers.push(n);
  }
  return numbers.join();
}

type Verb = (checked: Checked) => Promise<void>;

/** Chooses which of the unacked messages a verb is for: all, every n-th, or the first few. */
const choice = fc.oneof(
  fc.constant(() => true),
  fc.integer({ min: 2, max: 5 }).map((n) => (i: number) => i % n === 0),
  fc.integer({ min: 1, max: 40 }).map((n) => (i: number) => i < n),
);

function verbs(countMax: number): fc.Arbitrary<Verb> {
  const count = fc.integer({ min: 1, max: countMax });
  const replay = fc.constantFrom('nothing' as const, 'settles' as const, 'purge' as const);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: count.map(
        (n): Verb =>
          (c) =>
            c.append(n),
      ),
    },
    {
      weight: 3,
      arbitrary: count.map(
        (n): Verb =>
          (c) =>
            c.take(n),
      ),
    },
    {
      weight: 2,
      arbitrary: count.map(
        (n): Verb =>
          (c) =>
            c.takeRuns(n),
      ),
    },
    {
      weight: 3,
      arbitrary: choice.map(
        (f): Verb =>
          (c) =>
            c.settle(f),
      ),
    },
    {
      weight: 2,
      arbitrary: count.map(
        (n): Verb =>
          (c) =>
            c.settleRun(n),
      ),
    },
    {
      weight: 2,
      arbitrary: choice.map(
        (f): Verb =>
          (c) =>
            c.requeue(f),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.nat(30).map(
        (n): Verb =>
          (c) =>
            c.purge(n),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(replay, fc.nat(500)).map(
        ([r, n]): Verb =>
          (c) =>
            c.restart(r, n),
      ),
    },
    { weight: 1, arbitrary: fc.constant<Verb>(async (c) => c.chunks.sweep()) },
  );
}

async function run(steps: readonly Verb[], isDurable: boolean, perSegment: number): Promise<void> {
  const checked = new Checked(isDurable, perSegment);
  for (const step of steps) {
    await step(checked);
    await checked.compare();
  }
  await checked.drop();
  await checked.compare();
}

t.test('order, counts, bytes and returns are those of a plain list', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(verbs(40), { maxLength: 60 }),
      fc.boolean(),
      fc.constantFrom(10, 1000),
      run,
    ),
    { numRuns: 300 },
  );
});

t.test('the same holds while many rows roll, spill, load and go', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(verbs(400), { maxLength: 25 }),
      fc.boolean(),
      fc.constantFrom(30, 300),
      run,
    ),
    { numRuns: 100 },
  );
});

/** A durable index of full-size rows with `count` messages of one octet; ten thousand lie in each segment. */
function filled(count: number): { index: QueueIndex; chunks: ChunkStore; fs: SimulatedFs } {
  const fs = new SimulatedFs();
  const chunks = new ChunkStore({ fs, directory: '/data', nowMs: () => 0 });
  const index = new QueueIndex(1, true);
  index.home = chunks;
  for (let i = 1; i <= count; i++) index.append(positionAt(1 + Math.floor(i / 10_000), i), 1);
  return { index, chunks, fs };
}

function isLoaded({ rows }: QueueIndex, sequence: number): boolean {
  let isLoaded = false;
  for (const { first, positions } of rows.views()) {
    if (first <= sequence) isLoaded = positions !== null;
  }
  return isLoaded;
}

function arraysOf(index: QueueIndex): number {
  return Array.from(index.rows.views(), ({ positions }) => positions).filter(
    (each) => each !== null,
  ).length;
}

t.test('of a long queue a few rows are in memory, and its restart loads none', async (t) => {
  const { index, chunks, fs } = filled(300_000);
  t.equal(index.rows.length, 37);
  t.equal(arraysOf(index), 3, 'the cursor’s, the next one, the tail');
  t.equal(chunks.chunkBytes, 3 * 65_536);
  const part = encodePart(index, 0, (of, row) => chunks.store(of, row));
  t.ok(part.length < 37 * 80, `${part.length} bytes`);
  const later = new ChunkStore({ fs, directory: '/data', nowMs: () => 0 });
  const again = decodePart(part, 0, later.rowEntries).part.index;
  later.adoptRecovered(again);
  t.ok(later.files.isComplete(again));
  t.match([arraysOf(again), again.readyCount], [0, 300_000]);
});

t.test('the array of a row that is gone serves the next one, until the store rests', async (t) => {
  const chunks = new ChunkStore({ fs: new SimulatedFs(), directory: '/data', nowMs: () => 0 });
  const index = new QueueIndex(0, false);
  index.home = chunks;
  const firstArray = (): Float64Array | null | undefined => index.rows.at(0)?.positions;
  const fillAndPurge = (): Float64Array | null | undefined => {
    for (let i = 1; i <= 10_000; i++) index.append(positionAt(1, i), 1);
    const array = firstArray();
    index.purgeReady(new Counters());
    chunks.sweep();
    return array;
  };
  const first = fillAndPurge();
  t.ok(first);
  const arrays = new Set([first, fillAndPurge(), fillAndPurge()]);
  t.ok(arrays.size < 3);
  chunks.rest();
  t.notOk(arrays.has(fillAndPurge()));
});

t.test('a queue in memory keeps its rows, and a purge empties it', async (t) => {
  const chunks = new ChunkStore({ fs: new SimulatedFs(), directory: '/data', nowMs: () => 0 });
  const index = new QueueIndex(0, false);
  index.home = chunks;
  for (let i = 1; i <= 100_000; i++) index.append(positionAt(1, i), 1);
  t.equal(chunks.chunkBytes, 13 * 65_536);
  index.purgeReady(new Counters());
  chunks.sweep();
  t.equal(chunks.chunkBytes, 0);
  t.equal(index.append(positionAt(2, 1), 1), 100_001);
  t.equal(index.peekPosition(), positionAt(2, 1));
});

t.test('an emptied queue gives its arrays back when it has rested', async (t) => {
  const { index, chunks } = filled(5000);
  while (index.readyCount > 0) {
    index.take(1);
    index.settle(index.takenSequence, index.takenPosition, 1);
  }
  chunks.sweep();
  t.equal(chunks.chunkBytes, 0);
  t.equal(index.append(positionAt(9, 9), 1), 5001);
  t.equal(index.peekPosition(), positionAt(9, 9));
  t.equal(chunks.chunkBytes, 16 * 8);
});

t.test('a queue that is emptied again and again keeps its array while it is in use', async (t) => {
  const { index, chunks } = filled(5000);
  const empty = () => {
    while (index.readyCount > 0) {
      index.take(1);
      index.settle(index.takenSequence, index.takenPosition, 1);
    }
  };
  empty();
  for (let i = 1; i <= 3; i++) {
    index.append(positionAt(9, i), 1);
    empty();
    chunks.sweep();
    t.equal(chunks.chunkBytes, 65_536);
  }
  chunks.sweep();
  t.equal(chunks.chunkBytes, 0);
});

t.test('one message of very many that stays unacked costs one row', async (t) => {
  const { index, chunks } = filled(100_000);
  for (let i = 1; i <= 100_000; i++) {
    if (index.peekPosition() === NOT_LOADED) {
      await new Promise<void>((resolve) => chunks.load(index, index.cursorRow!, () => resolve()));
    }
    index.take(1);
    if (i > 1) index.settle(index.takenSequence, index.takenPosition, 1);
  }
  t.same(index.unsettledRanges(), [1, 1]);
  t.ok(index.rows.length <= 2, `${index.rows.length} rows`);
  t.ok(chunks.chunkBytes <= 2 * 65_536);
});

t.test('a short queue never gets a chunk file', async (t) => {
  const { index, chunks, fs } = filled(500);
  encodePart(index, 0, (of, row) => chunks.store(of, row));
  t.same(fs.paths, []);
});

t.test('rows stay in memory while the disk refuses, and go when it takes them', async (t) => {
  const fs = new SimulatedFs();
  let nowMs = 0;
  const chunks = new ChunkStore({ fs, directory: '/data', rowEntries: 16, nowMs: () => nowMs });
  const index = new QueueIndex(1, true);
  index.home = chunks;
  fs.failFor({ calls: ['write'], errno: 'ENOSPC', length: 1000 });
  for (let i = 1; i <= 160; i++) index.append(positionAt(1, i), 1);
  t.equal(arraysOf(index), 10);
  fs.heal();
  nowMs = 2000;
  for (let i = 161; i <= 192; i++) index.append(positionAt(1, i), 1);
  t.ok(arraysOf(index) <= 4, `${arraysOf(index)} rows in memory`);
  const positions: number[] = [];
  index.forEachUnsettled((_sequence, position) => positions.push(position));
  t.same(
    positions,
    Array.from({ length: 192 }, (_, i) => positionAt(1, i + 1)),
  );
});

t.test('ten thousand long queues are written, synced and read with a few files open', async (t) => {
  const fs = new SimulatedFs({ openFilesMax: 24 });
  const cache = new FileCache(fs, 8);
  const chunks = new ChunkStore({
    fs,
    cache,
    directory: '/data',
    rowEntries: 16,
    nowMs: () => 0,
  });
  const indexes = Array.from({ length: 10_000 }, (_, i) => {
    const index = new QueueIndex(i + 1, true);
    index.home = chunks;
    for (let n = 1; n <= 80; n++) index.append(positionAt(1, 1000 * n + i), 1);
    return index;
  });
  t.ok(fs.paths.length === 10_000);
  await chunks.files.sync();
  t.same(fs.unsyncedWrites(), []);
  t.ok(fs.openFileCount <= 8, `${fs.openFileCount} files open`);
  await Promise.all(
    indexes.slice(0, 16).map((index) => chunks.withPositions(index, index.rows.at(2)!, () => {})),
  );
  for (const [i, index] of indexes.entries()) {
    await chunks.withPositions(index, index.rows.at(2)!, (positions) => {
      if (positions[0] !== positionAt(1, 33_000 + i)) t.fail(`queue ${i}`);
    });
  }
  t.ok(fs.openFileCount <= 8, `${fs.openFileCount} files open`);
});

t.test('a row that cannot be read stays on disk, and comes when it can', async (t) => {
  const { index, chunks, fs } = filled(50_000);
  const load = (): Promise<Error | null> =>
    new Promise((resolve) => chunks.load(index, index.rows.at(3)!, resolve));
  fs.failNext('read', 'EIO');
  t.match(await load(), { code: 'STORAGE_EIO' });
  t.equal(index.rows.at(3)!.positions, null);
  t.equal(await load(), null);
  t.equal(index.rows.at(3)!.positions![0], positionAt(3, 3 * 8192 + 1));
});

t.test('a damaged slot is told, and never read as positions', async (t) => {
  const { index, chunks, fs } = filled(50_000);
  const [path] = fs.paths;
  const file = fs.openForWriting(path!);
  const row = index.rows.at(3)!;
  file.writeAt(Buffer.from([0xff]), 0, 1, 4096 + row.slot * 65_536 + 77);
  const error = await new Promise((resolve) => chunks.load(index, row, resolve));
  t.match(error, { message: /slot \d+ is damaged/ });
});

t.test('many rows are settled from either end, and the queue goes on', async (t) => {
  for (const direction of [1, -1]) {
    const index = new QueueIndex(1, true);
    for (let i = 1; i <= 30_000; i++) index.append(i, 1);
    for (let i = 1; i <= 30_000; i++) index.take(1);
    for (let i = 0; i < 30_000; i++) {
      const sequence = direction > 0 ? i + 1 : 30_000 - i;
      index.settle(sequence, sequence, 1);
    }
    t.match(index, { readyCount: 0, unackedCount: 0, readyBytes: 0, unackedBytes: 0 });
    t.same(index.unsettledRanges(), []);
    t.equal(index.append(99, 1), 30_001);
    t.equal(index.peekPosition(), 99);
  }
});

t.test('settling a message twice is a programmer’s error, not a wrong count', async (t) => {
  const index = new QueueIndex(1, true);
  for (let i = 1; i <= 3; i++) index.append(i, 1);
  for (let i = 1; i <= 3; i++) index.take(1);
  index.settle(1, 1, 1);
  t.throws(() => index.settle(1, 1, 1), /settled already/);
  index.settle(3, 3, 1);
  t.throws(() => index.settle(3, 3, 1), /settled already/);
  t.throws(() => index.settle(4, 4, 1), /not in the index/);
});

t.test('a recovered queue begins at the first message that is left', async (t) => {
  const index = new QueueIndex(1, true);
  for (const sequence of [1, 2, 3, 4]) restoreMessage(index, sequence, 10 * sequence, 20);
  discardRange(index, 1, 1);
  discardRange(index, 3, 3);
  discardRange(index, 3, 3);
  discardRange(index, 77, 78);
  finishReplay(index, 50);
  t.equal(index.peekSequence(), 2);
  index.take(20);
  t.equal(index.takenPosition, 20);
  t.equal(index.peekSequence(), 4);
  t.match(index, { readyCount: 1, readyBytes: 30, unackedCount: 1 });
});

t.test('all before a message that had come back is redelivered, and no more', async (t) => {
  const index = new QueueIndex(1, true);
  for (const sequence of [1, 2, 3]) restoreMessage(index, sequence, sequence, 0);
  restoreDeliveryCount(index, 2, 4);
  restoreDeliveryCount(index, 9, 4);
  finishReplay(index, 0);
  const redelivered = [1, 2, 3].map(() => {
    index.take(0);
    return index.takenRedelivered;
  });
  t.same(redelivered, [true, true, false]);
  t.equal(index.requeue(2, 2, 0), 5);
});

t.test('holes between recovered numbers cost no row each', async (t) => {
  const index = new QueueIndex(1, true);
  const sequences = Array.from({ length: 20_000 }, (_, i) => 1 + 3 * i);
  for (const sequence of sequences) restoreMessage(index, sequence, sequence, 0);
  t.ok(index.rows.length < 10, `${index.rows.length} rows`);
  for (const sequence of sequences) {
    if (index.peekSequence() !== sequence) t.fail(`number ${sequence} is missing`);
    index.take(0);
  }
  t.equal(index.peekSequence(), 0);
});
