/** Runs of messages in the store: as if each had come by itself. */
import t from 'tap';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { StorageHarness } from '../testing/storage-harness.ts';
import { testMessage, testMessageIdAt } from '../testing/test-message.ts';
import { MessageRun } from './message-run.ts';
import type { QueueIndex } from './queue-index.ts';
import type { MessageParts } from './record-format.ts';
import { RouteSet } from './route-set.ts';

const FIRST_ID = 1;

/** A run of the test messages from {@link FIRST_ID} on, with bodies of these sizes. */
function runOf(sizes: readonly number[]): MessageRun {
  const messages = sizes.map((size, i) => testMessage(FIRST_ID + i, size));
  const area = new ByteArea(Buffer.concat(messages.map(({ head }) => head.buf)));
  const first: MessageParts = { ...messages[0]!, head: area, body: area };
  const run = new MessageRun();
  run.begin(first);
  let at = 0;
  for (const { head, bodyAt, bodySize } of messages) {
    run.add(at + bodyAt, bodySize);
    at += head.buf.length;
  }
  return run;
}

/** Stores a run, enters it into the queues, and returns the sizes of its pieces. */
function publishAll(h: StorageHarness, run: MessageRun, queues: readonly QueueIndex[]): number[] {
  const set = new RouteSet(queues);
  const pieces: number[] = [];
  while (run.taken < run.count) {
    h.store.publishRun(run, set);
    for (const queue of queues) queue.appendRun(run);
    pieces.push(run.pieceCount);
  }
  return pieces;
}

/** Takes everything out of a queue: what the test messages found there say of themselves. */
function takeAll(h: StorageHarness, queue: QueueIndex): number[] {
  const ids: number[] = [];
  while (queue.readyCount > 0) {
    const position = queue.peekPosition();
    const block = h.store.locate(position)!;
    const at = position - block.start;
    ids.push(testMessageIdAt(block.area, at));
    const bodySize = block.area.view.getUint32(at + 4);
    queue.take(bodySize);
    h.store.settle(queue, queue.takenSequence, position, bodySize, 0);
  }
  return ids;
}

const ids = (count: number) => Array.from({ length: count }, (_, i) => FIRST_ID + i);
/** All different, then so many of one size that they do not fit into a batch, then a few of another. */
const SIZES = [
  ...Array.from({ length: 300 }, (_, i) => 4 + ((i * 37) % 900)),
  ...Array.from({ length: 700 }, () => 100),
  ...Array.from({ length: 20 }, () => 5),
];
const SIZES_SUM = SIZES.reduce((sum, size) => sum + size, 0);

t.test('a run lies in as many batches as it needs', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), { indexRowEntries: 16 });
  const queue = h.queue(1);
  const pieces = publishAll(h, runOf(SIZES), [queue]);
  t.ok(pieces.length > 1, 'more than one');
  t.equal(queue.readyCount, SIZES.length);
  t.equal(queue.readyBytes, SIZES_SUM);
  t.same(takeAll(h, queue), ids(SIZES.length));
  t.equal(queue.unackedCount, 0);
  t.same(
    [...h.store.log.segments.values()].map(({ live, liveBytes }) => [live, liveBytes]),
    [[0, 0]],
  );
});

t.test('a piece ends before its limit, also among messages of one size', (t) => {
  const run = runOf(Array.from({ length: 100 }, () => 20));
  const area = newByteArea(100 * run.nextSize);
  const limit = 50 * run.nextSize - 1;
  const end = run.write(area, 0, limit, 0, 0, 0);
  t.equal(run.pieceCount, 49);
  t.equal(end, 49 * run.nextSize);
  t.end();
});

t.test('records larger than a batch, or than a block, are pieces of their own', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const sizes = [70_000, 4, 70_000, 2_000_000, 5];
  for (const queue of [h.queue(1), h.transientQueue()]) {
    publishAll(h, runOf(sizes), [queue]);
    t.same(takeAll(h, queue), ids(sizes.length));
  }
});

t.test('each of several queues gets all of it', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), { indexRowEntries: 16 });
  const queues = [h.queue(1), h.queue(2), h.transientQueue()];
  h.publish(5000, [queues[1]!], 20);
  publishAll(h, runOf(SIZES), queues);
  for (const queue of queues) {
    const expected = queue === queues[1] ? [5000, ...ids(SIZES.length)] : ids(SIZES.length);
    t.same(takeAll(h, queue), expected);
  }
});

t.test('it is there after the power was cut', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  publishAll(h, runOf(SIZES), [h.queue(1), h.queue(2)]);
  await h.store.log.syncAll();
  const again = StorageHarness.open(t, fs.crash('power', new Random(1)));
  for (const number of [1, 2]) {
    const queue = again.queue(number);
    const sequences: number[] = [];
    queue.forEachUnsettled((sequence) => sequences.push(sequence));
    t.same(sequences, ids(SIZES.length));
    t.equal(queue.readyBytes, SIZES_SUM);
  }
});
