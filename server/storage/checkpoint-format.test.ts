import t from 'tap';
import {
  checkpointFileName,
  checkpointNumberOf,
  decodeCheckpoint,
  encodeCheckpoint,
  encodePart,
} from './checkpoint-format.ts';
import { QueueIndex } from './queue-index.ts';

/** A queue with settled, unacked and returned messages; positions are a thousand times the number. */
function usedIndex(number: number): QueueIndex {
  const index = new QueueIndex(number, true);
  for (let sequence = 1; sequence <= 10; sequence++) index.append(1000 * sequence, sequence);
  for (let sequence = 1; sequence <= 6; sequence++) index.take(sequence);
  for (const sequence of [1, 2, 4]) index.settle(sequence, sequence);
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

function encoded(): Buffer {
  const empty = new QueueIndex(8, true);
  const parts = [encodePart(usedIndex(7), 555), encodePart(empty, 556)];
  return encodeCheckpoint(parts, true, 44, 999, 2 ** 40 + 1);
}

t.test('a checkpoint gives back each queue as it was at its own position', async (t) => {
  const checkpoint = decodeCheckpoint(encoded());
  if (typeof checkpoint === 'string') throw new Error(checkpoint);
  t.match(checkpoint, { clean: true, replayFrom: 44, logEnd: 999, nextLargeFile: 2 ** 40 + 1 });
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
