/** Large bodies over a simulated disk: no crash between any steps loses one that counts, or keeps one in vain. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { newByteArea } from '../base/byte-area.ts';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import { testMessage } from '../testing/test-message.ts';
import { FileCache } from './file-cache.ts';
import type { LargeBodyWriter } from './large-body-writer.ts';
import { LARGE_FOLDER, LARGE_HEADER_SIZE, largeFileName } from './large-file-format.ts';
import type { QueueIndex } from './queue-index.ts';
import { QueueIndex as NewIndex } from './queue-index.ts';
import { LARGE_REFERENCE_SIZE, type MessageParts, writeLargeReference } from './record-format.ts';
import { RouteSet } from './route-set.ts';
import { StorageError } from './storage-error.ts';

const FOLDER = join(STORE_DIRECTORY, LARGE_FOLDER);
/** Small, though only larger ones go this way: the store does not ask. Two writes of the writer's staging. */
const BODY_SIZE = 300_000;

function bodyOf(id: number, size = BODY_SIZE): Buffer {
  const body = Buffer.alloc(size, id);
  body.writeUInt32BE(id, size - 4);
  return body;
}

function writeBody(h: StorageHarness, id: number): LargeBodyWriter {
  const body = bodyOf(id);
  const writer = h.store.largeFiles.create(body.length);
  for (let at = 0; at < body.length; at += 70_001) {
    writer.append(body, at, Math.min(body.length, at + 70_001));
  }
  writer.finish();
  return writer;
}

/** The parts of a message whose body is in a file. */
function largeMessage(writer: LargeBodyWriter): MessageParts {
  const body = newByteArea(LARGE_REFERENCE_SIZE);
  writeLargeReference(body.view, 0, writer);
  return { ...testMessage(1), body, bodyAt: 0, bodySize: LARGE_REFERENCE_SIZE, large: writer };
}

/** Publishes a large body to queues; returns the number of its file. */
function publishLarge(h: StorageHarness, id: number, queues: readonly QueueIndex[]): number {
  const writer = writeBody(h, id);
  const position = h.store.publish(largeMessage(writer), new RouteSet(queues));
  for (const queue of queues) queue.append(position, writer.size);
  h.store.keepLarge(writer, queues);
  return writer.file;
}

const filesOf = (fs: SimulatedFs) => fs.list(FOLDER);

/** Reads a body as a delivery does. */
async function readLarge(h: StorageHarness, id: number, file: number): Promise<Buffer> {
  const body = { file, size: BODY_SIZE, crc32: crc32(bodyOf(id)) };
  const reader = h.store.largeFiles.read(body);
  const pieces: Buffer[] = [];
  try {
    while (reader.at < reader.size) {
      const piece = Buffer.alloc(100_000);
      pieces.push(piece.subarray(0, await reader.read(piece, piece.length)));
    }
  } finally {
    reader.close();
  }
  return Buffer.concat(pieces);
}

function takeAndSettle(h: StorageHarness, queue: QueueIndex): void {
  queue.take(BODY_SIZE);
  h.store.settle(queue, queue.takenSequence, queue.takenPosition, BODY_SIZE, 0);
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a file goes with its last reference, when the log knows', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const [one, two] = [h.queue(1), h.queue(2)];
  const file = publishLarge(h, 1, [one, two]);
  await h.store.log.syncAll();
  t.ok((await readLarge(h, 1, file)).equals(bodyOf(1)));
  takeAndSettle(h, one);
  await h.store.log.syncAll();
  await settled();
  t.same(filesOf(h.fs), [largeFileName(file)]);
  const reader = h.store.largeFiles.read({ file, size: BODY_SIZE, crc32: crc32(bodyOf(1)) });
  takeAndSettle(h, two);
  await h.store.log.syncAll();
  await settled();
  t.same(filesOf(h.fs), [largeFileName(file)], 'a delivery under way keeps it');
  reader.close();
  await settled();
  t.same(filesOf(h.fs), []);
  t.equal(h.store.largeFiles.count, 0);
});

t.test('nothing is deleted before the log is durable behind the settle', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  publishLarge(h, 1, [queue]);
  const synced = h.store.log.syncAll();
  for (let i = 0; i < 20; i++) {
    fs.complete();
    await settled();
  }
  await synced;
  takeAndSettle(h, queue);
  h.store.log.endTurn();
  await settled();
  t.equal(filesOf(fs).length, 1, 'the sync is under way');
  const crashed = fs.copy().crash('power', new Random(3));
  t.equal(filesOf(crashed).length, 1);
  for (let i = 0; i < 10; i++) {
    fs.complete();
    await settled();
  }
  t.same(filesOf(fs), []);
});

t.test('an aborted body and one without a durable queue leave no file', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  writeBody(h, 1).abort();
  const transient = new NewIndex(0, false);
  publishLarge(h, 2, [transient]);
  publishLarge(h, 3, [transient]);
  await settled();
  t.equal(filesOf(h.fs).length, 2);
  takeAndSettle(h, transient);
  await settled();
  t.equal(filesOf(h.fs).length, 1);
  h.store.dropIndex(transient);
  await settled();
  t.same(filesOf(h.fs), []);
});

t.test('a failed sync does not count: the body is written anew, as it came', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const writer = writeBody(h, 7);
  fs.failNext('sync', 'EIO');
  await t.rejects(writer.datasync(), /EIO|as the test wished/);
  await writer.datasync();
  // The pages of the failed sync were lost, so only a copy can be on the disk now.
  const crashed = fs.crash('power', new Random(2));
  const bytes = crashed.readFile(join(FOLDER, largeFileName(writer.file)));
  t.ok(bytes?.subarray(LARGE_HEADER_SIZE).equals(bodyOf(7)));
});

t.test(
  'a body that is written anew is stable under its name, whoever synced names before',
  async (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      const fs = new SimulatedFs();
      const h = StorageHarness.open(t, fs);
      const writer = writeBody(h, 7);
      fs.failNext('sync', 'EIO');
      await t.rejects(writer.datasync());
      await writeBody(h, 8).datasync();
      await writer.datasync();
      const crashed = fs.crash('power', new Random(seed));
      const bytes = crashed.readFile(join(FOLDER, largeFileName(writer.file)));
      t.ok(bytes?.subarray(LARGE_HEADER_SIZE).equals(bodyOf(7)));
    }
  },
);

t.test('names that one body failed to make stable are made so by the others', async (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    const [first, second] = [writeBody(h, 1), writeBody(h, 2)];
    fs.failNext('syncDirectory', 'EIO');
    await Promise.allSettled([first.datasync(), second.datasync()]);
    first.abort();
    await Promise.all([first.datasync(), second.datasync()]);
    const crashed = fs.crash('power', new Random(seed));
    const bytes = crashed.readFile(join(FOLDER, largeFileName(second.file)));
    t.ok(bytes?.subarray(LARGE_HEADER_SIZE).equals(bodyOf(2)));
  }
});

t.test('a body that reads back otherwise is never completed', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const file = publishLarge(h, 1, [h.queue(1)]);
  const path = join(FOLDER, largeFileName(file));
  for (const at of [0, LARGE_HEADER_SIZE, LARGE_HEADER_SIZE + BODY_SIZE - 1]) {
    const handle = h.fs.openForWriting(path);
    const [byte] = h.fs.readFile(path)!.subarray(at, at + 1);
    handle.writeAt(Buffer.from([byte! ^ 1]), 0, 1, at);
    await t.rejects(readLarge(h, 1, file), StorageError, `byte ${at}`);
    handle.writeAt(Buffer.from([byte!]), 0, 1, at);
    handle.close();
  }
  t.ok((await readLarge(h, 1, file)).equals(bodyOf(1)));
});

t.test('publishers are held back while the disk cannot keep up, and let go', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const { largeFiles } = StorageHarness.open(t, fs).store;
  const size = 200 * 1024 * 1024;
  const writer = largeFiles.create(size);
  const piece = Buffer.alloc(1024 * 1024);
  let written = 0;
  while (!largeFiles.isBehind) {
    writer.append(piece, 0, piece.length);
    written += piece.length;
  }
  t.equal(written, 128 * 1024 * 1024);
  let calls = 0;
  largeFiles.whenCaughtUp(() => calls++);
  // The first sync began when 32 MiB were there, and counts for those alone; the next follows by itself.
  fs.complete();
  await settled();
  t.equal(calls, 0);
  t.notOk(largeFiles.isBehind);
  fs.complete();
  await settled();
  t.equal(calls, 1);
  t.equal(fs.waitingCount, 0, 'and nothing more is synced before its time');
});

t.test('who waits for many bodies, each too small for a sync of its own, is let go', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const { largeFiles } = StorageHarness.open(t, fs).store;
  const piece = Buffer.alloc(20 * 1024 * 1024);
  const writers = Array.from({ length: 7 }, () => largeFiles.create(2 * piece.length));
  for (const writer of writers) writer.append(piece, 0, piece.length);
  t.ok(largeFiles.isBehind);
  let calls = 0;
  largeFiles.whenCaughtUp(() => calls++);
  fs.failNext('sync', 'EIO');
  fs.complete();
  await settled();
  t.equal(calls, 1);
  const failed = writers.filter((writer) => {
    try {
      writer.append(piece, 0, 300_000);
      return false;
    } catch (error) {
      return error instanceof StorageError;
    }
  });
  t.equal(failed.length, 1, 'a body whose sync failed is told with its next bytes');
});

t.test('a body on its way leaves what is left of a full disk to the log', (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const writer = h.store.largeFiles.create(BODY_SIZE);
  const body = bodyOf(1);
  writer.append(body, 0, 1000);
  h.store.log.spaceRefused();
  t.throws(() => writer.append(body, 1000, body.length), /no space left/);
  writer.abort();
  t.end();
});

t.test('a disk that an unfinished body has filled has room again after a crash', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
  const h = StorageHarness.open(t, fs);
  h.publish(1, [h.queue(1)]);
  await h.store.log.syncAll();
  const writer = h.store.largeFiles.create(2 ** 21);
  const body = bodyOf(1, 2 ** 21);
  t.throws(() => writer.append(body, 0, body.length), /no space left/);
  const again = StorageHarness.open(t, fs.crash('kill', new Random(1)));
  again.publish(2, [again.queue(1)], 8000);
  await t.rejects(again.store.log.syncAll(), /no space left/);
  again.store.deleteSpentSegments();
  await settled();
  t.same(filesOf(again.fs), []);
  again.clock.advance(10_000);
  await again.store.log.syncAll();
  t.same(again.idsOf(1), [1, 2]);
});

t.test('a boot drops what was not confirmed and torn, and says so to the log', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  const kept = publishLarge(h, 1, [queue]);
  await h.store.log.syncAll();
  const torn = publishLarge(h, 2, [queue]);
  h.publish(3, [queue]);
  h.store.log.writeAll();
  // A kill, after which the body has lost its end, as if the power had gone.
  const killed = fs.crash('kill', new Random(1));
  const file = killed.openForWriting(join(FOLDER, largeFileName(torn)));
  file.truncate(LARGE_HEADER_SIZE + 1000);
  file.close();
  const second = StorageHarness.open(t, killed);
  t.same(second.recovered.damage, []);
  const index = second.queue(1);
  t.equal(index.readyCount, 2);
  t.equal(index.readyBytes, BODY_SIZE + 8);
  t.ok((await readLarge(second, 1, kept)).equals(bodyOf(1)));
  t.equal(filesOf(killed).length, 2, 'nothing is deleted yet');
  await second.store.log.syncAll();
  const third = StorageHarness.open(t, killed.crash('power', new Random(1)));
  t.same(third.recovered.damage, [], 'the drop is remembered');
  t.equal(third.queue(1).readyCount, 2);
  await third.checkpoint([third.queue(1)]);
  await settled();
  t.same(filesOf(third.fs), [largeFileName(kept)]);
  t.equal(third.store.largeFiles.nextFile, torn + 1);
});

t.test('what a boot takes over is stable from then on', async (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    const file = publishLarge(h, 1, [h.queue(1)]);
    h.store.log.writeAll();
    const random = new Random(seed);
    const second = StorageHarness.open(t, fs.crash('kill', random));
    t.equal(second.queue(1).readyCount, 1);
    second.publish(2, [second.queue(1)]);
    await second.store.log.syncAll();
    const third = StorageHarness.open(t, second.fs.crash('power', random));
    t.same(third.recovered.damage, [], `seed ${seed}`);
    t.ok((await readLarge(third, 1, file)).equals(bodyOf(1)), `seed ${seed}`);
  }
});

t.test(
  'a body whose sync had failed when its server was killed is stable after a boot',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    publishLarge(h, 1, [h.queue(1)]);
    h.store.log.writeAll();
    h.fs.failFor({ calls: ['sync'], errno: 'EIO', length: 10, path: /large/ });
    await t.rejects(h.store.log.syncAll());
    h.fs.heal();
    const again = StorageHarness.open(t, h.fs.crash('kill', new Random(1)));
    t.equal(again.queue(1).readyCount, 1, 'the kernel shows it');
    for (let seed = 1; seed <= 10; seed++) {
      const third = StorageHarness.open(t, again.fs.copy().crash('power', new Random(seed)));
      t.equal(third.queue(1).readyCount, 1);
      t.same(third.recovered.damage, []);
    }
  },
);

t.test('a confirmed message whose body is missing is damage, and nothing is deleted', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  const lost = publishLarge(h, 1, [queue]);
  const kept = publishLarge(h, 2, [queue]);
  writeBody(h, 3);
  await h.store.log.syncAll();
  h.publish(4, [queue]);
  await h.store.log.syncAll();
  fs.delete(join(FOLDER, largeFileName(lost)));
  const next = StorageHarness.open(t, fs.crash('kill', new Random(1)));
  t.match(next.recovered.damage, [{ path: join(FOLDER, largeFileName(lost)) }]);
  t.match(next.recovered.damage[0]?.reason, /body is missing: message 1 of queue number 1/);
  t.equal(next.queue(1).readyCount, 2);
  t.ok((await readLarge(next, 2, kept)).equals(bodyOf(2)));
  await next.checkpoint([next.queue(1)]);
  await settled();
  t.equal(filesOf(next.fs).length, 2, 'what nobody names stays in this run');
});

t.test('a checkpoint knows the files, also when the log behind it is not read', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const [one, two] = [h.queue(1), h.queue(2)];
  const file = publishLarge(h, 1, [one, two]);
  const gone = publishLarge(h, 2, [one]);
  takeAndSettle(h, one);
  takeAndSettle(h, one);
  await h.checkpoint([one, two], true);
  await settled();
  t.same(filesOf(fs), [largeFileName(file)]);
  const next = StorageHarness.open(t, fs.crash('kill', new Random(1)));
  t.equal(next.store.largeFiles.nextFile, gone + 1, 'no number is given out twice');
  takeAndSettle(next, next.queue(2));
  await next.store.log.syncAll();
  await settled();
  t.same(filesOf(next.fs), []);
});

t.test('a large message that enters a queue by reference brings its file', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const [one, two] = [h.queue(1), h.queue(2)];
  const file = publishLarge(h, 1, [one]);
  one.take(BODY_SIZE);
  h.store.enqueue(one.takenPosition, BODY_SIZE, new RouteSet([two]), file);
  two.append(one.takenPosition, BODY_SIZE);
  h.store.largeFiles.enter(two, file);
  h.store.settle(one, one.takenSequence, one.takenPosition, BODY_SIZE, 0);
  await h.store.log.syncAll();
  await settled();
  const next = StorageHarness.open(t, fs.crash('power', new Random(1)));
  t.equal(next.queue(1).readyCount, 0);
  t.equal(next.queue(2).readyCount, 1);
  t.ok((await readLarge(next, 1, file)).equals(bodyOf(1)));
});

/** One life with large bodies in all their states; `confirmed` and `gone` tell what was promised. */
async function live(h: StorageHarness, random: Random) {
  const confirmed = new Map<number, number>();
  const maybeGone = new Set<number>();
  const gone = new Set<number>();
  const published = new Map<number, number>();
  const queue = h.queue(1);
  try {
    for (let id = 1; id <= 6; id++) {
      if (random.chance(0.3)) writeBody(h, 100 + id).abort();
      published.set(publishLarge(h, id, [queue]), id);
      if (random.chance(0.4)) h.publish(50 + id, [queue]);
      if (random.chance(0.6)) {
        await h.store.log.syncAll();
        for (const [file, done] of published) confirmed.set(file, done);
      }
      if (random.chance(0.3)) await h.checkpoint([queue]);
      if (random.chance(0.4) && queue.readyCount > 0) {
        const size = queue.large?.has(queue.peekSequence()) === true ? BODY_SIZE : 8;
        const file = queue.large?.get(queue.peekSequence()) ?? 0;
        queue.take(size);
        h.store.settle(queue, queue.takenSequence, queue.takenPosition, size, 0);
        maybeGone.add(file);
        if (random.chance(0.5)) {
          await h.store.log.syncAll();
          for (const one of maybeGone) gone.add(one);
          for (const [one, done] of published) confirmed.set(one, done);
        }
      }
      await settled();
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
  return { confirmed, maybeGone, gone, published };
}

t.test('a crash between any two steps loses no confirmed body and invents none', async (t) => {
  const counts = { power: 0, kill: 0 };
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const fs = new SimulatedFs();
    fs.stopAfter(random.below(120));
    let h: StorageHarness;
    try {
      h = StorageHarness.open(t, fs);
    } catch {
      continue;
    }
    const { confirmed, maybeGone, gone, published } = await live(h, random);
    const kind = random.pick(['power', 'kill'] as const);
    counts[kind]++;
    const next = StorageHarness.open(t, fs.crash(kind, random));
    const what = `seed ${seed}`;
    t.same(next.recovered.damage, [], what) || t.bailout();
    const found = new Set(next.queue(1).large?.values() ?? []);
    for (const [file, id] of confirmed) {
      if (maybeGone.has(file)) continue;
      t.ok(found.has(file), `${what}: confirmed body ${id} is lost`) || t.bailout();
    }
    for (const file of found) {
      const id = published.get(file);
      t.ok(id !== undefined && !gone.has(file), `${what}: body ${file} is back`) || t.bailout();
      const body = await readLarge(next, id!, file);
      t.ok(body.equals(bodyOf(id!)), `${what}: body ${id} is not what it was`) || t.bailout();
    }
    await next.checkpoint([next.queue(1)]);
    await settled();
    t.same(
      filesOf(next.fs)
        .map(Number)
        .sort((a, b) => a - b),
      [...found].sort((a, b) => a - b),
      `${what}: exactly the files that live are left`,
    ) || t.bailout();
  }
  t.ok(counts.power > 20 && counts.kill > 20);
});

t.test('ten thousand bodies wait, and come, with a few files open', async (t) => {
  const fs = new SimulatedFs({ openFilesMax: 24 });
  const h = StorageHarness.open(t, fs, { cache: new FileCache(fs, 8) });
  const queue = h.queue(1);
  const count = 10_000;
  const set = new RouteSet([queue]);
  const body = Buffer.alloc(40, 7);
  let openMax = 0;
  for (let id = 1; id <= count; id++) {
    const writer = h.store.largeFiles.create(body.length);
    writer.append(body, 0, body.length);
    writer.finish();
    queue.append(h.store.publish(largeMessage(writer), set), writer.size);
    h.store.keepLarge(writer, [queue]);
    openMax = Math.max(openMax, fs.openFileCount);
    if (id % 10 === 0) await h.store.log.syncAll();
  }
  t.ok(openMax <= 24, `${openMax} files open`);
  t.ok(fs.openFileCount <= 8, `${fs.openFileCount} left open`);
  const piece = Buffer.alloc(body.length);
  // Deliveries under way to very many slow consumers: each has read its beginning.
  const readers = Array.from({ length: count }, (_, i) =>
    h.store.largeFiles.read({ file: i + 1, size: body.length, crc32: crc32(body) }),
  );
  for (const reader of readers) await reader.read(piece, 10);
  t.ok(fs.openFileCount <= 8, `${fs.openFileCount} open for deliveries`);
  for (const reader of readers) {
    await reader.read(piece, 30);
    reader.close();
  }
  for (let i = 0; i < count; i++) {
    queue.take(body.length);
    h.store.settle(queue, queue.takenSequence, queue.takenPosition, body.length, 0);
  }
  await h.store.log.syncAll();
  await settled();
  t.same(filesOf(fs), []);
});

t.test('bodies that are not synced are few, or their publishers wait', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const h = StorageHarness.open(t, fs, { cache: new FileCache(fs, 8) });
  const { largeFiles } = h.store;
  const piece = Buffer.alloc(256 * 1024, 1);
  const writers: LargeBodyWriter[] = [];
  t.equal(fs.openFileCount, 0);
  while (!largeFiles.isBehind) {
    const writer = largeFiles.create(2 * piece.length);
    writers.push(writer);
    t.notOk(fs.paths.includes(writer.path), 'a body of which nothing has come has no file');
    writer.append(piece, 0, piece.length);
  }
  t.equal(writers.length, 128);
  t.ok(fs.openFileCount <= 128);
  let isCaughtUp = false;
  largeFiles.whenCaughtUp(() => {
    isCaughtUp = true;
  });
  for (let i = 0; i < 10 && !isCaughtUp; i++) {
    fs.complete();
    await settled();
  }
  t.ok(isCaughtUp);
  t.ok(fs.openFileCount <= 8, `${fs.openFileCount} files open`);
  for (const writer of writers) {
    writer.append(piece, 0, piece.length);
    writer.abort();
  }
});

t.test('a full disk that a body meets is a state, leaves nothing behind, and ends', async (t) => {
  for (const call of ['create', 'write', 'sync'] as const) {
    const fs = new SimulatedFs({ capacityBytes: 64 * 2 ** 20 });
    const h = StorageHarness.open(t, fs);
    fs.failFor({ calls: [call], errno: 'ENOSPC', length: 1, path: /large/ });
    const writer = h.store.largeFiles.create(3 * 2 ** 20);
    const piece = Buffer.alloc(2 ** 20);
    const writeAll = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        writer.append(piece, 0, piece.length);
        writer.hurry();
        await settled();
      }
      writer.finish();
    };
    await t.rejects(writeAll(), { code: 'STORAGE_ENOSPC' }, call);
    writer.abort();
    await settled();
    t.ok(h.store.log.state.diskFull, call);
    t.same(filesOf(fs), [], call);
    for (let i = 0; i < 3; i++) {
      h.clock.advance(1000);
      h.store.log.endTurn();
      await settled();
    }
    t.notOk(h.store.log.state.diskFull, 'it ends by itself');
    publishLarge(h, 1, [h.queue(1)]);
    await h.store.log.syncAll();
  }
});
