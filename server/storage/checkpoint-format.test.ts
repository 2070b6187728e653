import t from 'tap';
import {
  type Checkpoint,
  checkpointFileName,
  checkpointNumberOf,
  crcOfCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  mergeParts,
} from './checkpoint-format.ts';
import { encodePart } from './index-part.ts';
import { QueueIndex } from './queue-index.ts';

const HEAD = {
  clean: true,
  replayFrom: 44,
  logEnd: 999,
  nextLargeFile: 2 ** 40 + 1,
  base: 3,
  baseCrc: 0,
  rowEntries: 8192,
};

/** A queue with settled, unacked and returned messages; positions are a thousand times the number. */
function usedIndex(number: number): QueueIndex {
  const index = new QueueIndex(number, true);
  for (let sequence = 1; sequence <= 10; sequence++) index.append(1000 * sequence, sequence);
  for (let sequence = 1; sequence <= 6; sequence++) index.take(sequence);
  for (const sequence of [1, 2, 4]) index.settle(sequence, 1000 * sequence, sequence);
  index.requeue(5, 5000, 5);
  index.reservedUpTo = 64;
  index.redeliveredUpTo = 3;
  index.noteLarge(5, 2 ** 40);
  index.noteLarge(9, 77);
  return index;
}

function unsettledOf(index: QueueIndex): [number, number][] {
  const unsettled: [number, number][] = [];
  index.forEachUnsettled((sequence, position) => unsettled.push([sequence, position]));
  return unsettled;
}

function part(index: QueueIndex, position: number): Buffer {
  return encodePart(index, position, () => false);
}

function encoded(): Buffer {
  const parts = [part(usedIndex(7), 555), part(new QueueIndex(8, true), 556)];
  return encodeCheckpoint(HEAD, parts, [17, 18]);
}

function decoded(bytes: Buffer): Checkpoint {
  const checkpoint = decodeCheckpoint(bytes);
  if (typeof checkpoint === 'string') throw new Error(checkpoint);
  return checkpoint;
}

t.test('a checkpoint gives back each queue as it was at its own position', async (t) => {
  const checkpoint = decoded(encoded());
  t.match(checkpoint, { ...HEAD, gone: [17, 18], crc: crcOfCheckpoint(encoded()) });
  const [used, empty] = checkpoint.parts;
  t.match(used, { position: 555, bytes: 55 - 1 - 2 - 4 });
  t.same(unsettledOf(used!.index), unsettledOf(usedIndex(7)));
  t.match(used!.index, { number: 7, nextSequence: 11, redeliveredUpTo: 3, reservedUpTo: 64 });
  t.equal(used!.index.readyCount, 7, 'what was with a consumer is ready again');
  t.equal(used!.index.deliveryCount(5), 1);
  t.same(
    [...used!.index.large!],
    [
      [5, 2 ** 40],
      [9, 77],
    ],
    'and the files of large bodies are known',
  );
  t.equal(empty!.index.large, null);
  t.match(empty, { position: 556, bytes: 0, index: { number: 8, nextSequence: 1 } });
});

t.test('what is settled out of order comes back as it was, be it little or much', async (t) => {
  for (const step of [2, 3, 100, 1000]) {
    const index = new QueueIndex(1, true);
    for (let sequence = 1; sequence <= 8192; sequence++) index.append(sequence, 1);
    for (let sequence = 1; sequence <= 8000; sequence++) index.take(1);
    for (let sequence = 5; sequence <= 8000; sequence += step) index.settle(sequence, sequence, 1);
    const bytes = encodeCheckpoint(HEAD, [part(index, 1)], []);
    const back = decoded(bytes).parts[0]!.index;
    t.same(back.unsettledRanges(), index.unsettledRanges(), `every ${step}th`);
    t.ok(bytes.length < 8 * 8192 + 1300);
  }
});

t.test('a delta replaces queues of its base, and takes out those that are gone', async (t) => {
  const base = decoded(
    encodeCheckpoint(
      HEAD,
      [1, 2, 3].map((n) => part(usedIndex(n), n)),
      [],
    ),
  );
  const delta = decoded(
    encodeCheckpoint(
      HEAD,
      [2, 4].map((n) => part(usedIndex(n), 10 * n)),
      [3],
    ),
  );
  t.same(
    mergeParts(base, delta).map(({ index, position }) => [index.number, position]),
    [
      [1, 1],
      [2, 20],
      [4, 40],
    ],
  );
});

t.test(
  'a checkpoint with any byte changed, or cut anywhere, is a sentence and no exception',
  async (t) => {
    const bytes = encoded();
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0xff]) {
        bytes[at]! ^= flip;
        t.type(decodeCheckpoint(bytes), 'string', `byte ${at}`);
        bytes[at]! ^= flip;
      }
      t.type(decodeCheckpoint(bytes.subarray(0, at)), 'string', `cut at ${at}`);
    }
    t.not(typeof decodeCheckpoint(bytes), 'string');
  },
);

t.test('only a checkpoint’s own file name has its number', async (t) => {
  t.equal(checkpointNumberOf(checkpointFileName(12)), 12);
  t.equal(checkpointNumberOf(`${checkpointFileName(12)}.tmp`), -1);
  t.equal(checkpointNumberOf('msgs.0000000001'), -1);
});
