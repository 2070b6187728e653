import t from 'tap';
import { newByteArea } from '../base/byte-area.ts';
import { testMessage, testMessageIdAt } from '../testing/test-message.ts';
import type { RecordVisitor } from './record-format.ts';
import {
  bodySizeAt,
  DEFINITION_ACTIONS,
  DELIVERABLE_SIZE,
  ENQUEUE_RECORD_SIZE,
  isLargeAt,
  LARGE_REFERENCE_SIZE,
  largeFileAt,
  messageSizeAt,
  SETTLE_REASONS,
  sizeOfDefinition,
  sizeOfMessage,
  sizeOfPurge,
  sizeOfRequeue,
  sizeOfSettle,
  visitRecord,
  writeDefinition,
  writeDeliverable,
  writeEnqueue,
  writeLargeReference,
  writeMessage,
  writePurge,
  writeRequeue,
  writeSettle,
} from './record-format.ts';

/** A visitor that notes what it is told. */
function noting(seen: unknown[]): RecordVisitor {
  return {
    message: (...args) => seen.push(['message', ...args]),
    largeMessage: (...args) => seen.push(['largeMessage', ...args]),
    enqueue: (...args) => seen.push(['enqueue', ...args]),
    settle: (...args) => seen.push(['settle', ...args]),
    requeue: (...args) => seen.push(['requeue', ...args]),
    deliverable: (...args) => seen.push(['deliverable', ...args]),
    purge: (...args) => seen.push(['purge', ...args]),
    definition: (...args) => seen.push(['definition', ...args]),
  };
}

t.test('every kind of record is read back as it was written, one behind the other', async (t) => {
  const area = newByteArea(4096);
  const message = testMessage(7, 100);
  const frame = Buffer.from('a method frame');
  const far = 2 ** 52 + 1;
  const reference = { file: far, size: 2 ** 33 + 7, crc32: 2 ** 32 - 1 };
  const inline = newByteArea(LARGE_REFERENCE_SIZE);
  writeLargeReference(inline.view, 0, reference);
  const large = {
    ...testMessage(8, 4),
    body: inline,
    bodyAt: 0,
    bodySize: LARGE_REFERENCE_SIZE,
    large: { ...reference, datasync: async () => {}, end: () => {}, abort: () => {} },
  };
  const sizes = [
    sizeOfMessage(message),
    16 + 6 + 2 + 24,
    ENQUEUE_RECORD_SIZE,
    sizeOfSettle(2),
    sizeOfRequeue(2),
    DELIVERABLE_SIZE,
    sizeOfPurge(1),
    sizeOfDefinition(frame.length),
  ];
  const ends: number[] = [3];
  const at = (): number => ends[ends.length - 1]!;
  ends.push(writeMessage(area, at(), message, 65_535, 2 ** 32 - 1));
  ends.push(writeMessage(area, at(), large, 9, 5));
  ends.push(writeEnqueue(area, at(), 3, 12, far, 7));
  ends.push(writeSettle(area, at(), SETTLE_REASONS.expired, far, 99, [1, 5, 7, far]));
  ends.push(writeRequeue(area, at(), 8, [far, 1, 3, 2 ** 32 - 1]));
  ends.push(writeDeliverable(area, at(), 9, far));
  ends.push(writePurge(area, at(), 10, 77, 55, [3, 4]));
  ends.push(writeDefinition(area, at(), DEFINITION_ACTIONS.deleteQueue, 11, frame));
  t.same(
    sizes.map((_size, i) => ends[i + 1]! - ends[i]!),
    sizes,
    'each takes the size that was announced',
  );

  const seen: unknown[] = [];
  const read = [3];
  for (const p of read) if (p < at()) read.push(visitRecord(area, p, noting(seen)));
  t.same(read, ends);
  t.same(seen, [
    ['message', 3, 65_535, 100],
    ['largeMessage', ends[1], 9, reference],
    ['enqueue', 3, 12, far, 7],
    ['settle', far, SETTLE_REASONS.expired, 99, [1, 5, 7, far]],
    ['requeue', 8, [far, 1, 3, 2 ** 32 - 1]],
    ['deliverable', 9, far],
    ['purge', 10, 77, 55, [3, 4]],
    ['definition', 11, DEFINITION_ACTIONS.deleteQueue, frame],
  ]);
  t.equal(testMessageIdAt(area, 3), 7, 'the publisher’s bytes are there');
  t.equal(messageSizeAt(area.view, 3), sizeOfMessage(message));
  t.equal(bodySizeAt(area.view, 3), 100);
  t.notOk(isLargeAt(area.view, 3));
  t.ok(isLargeAt(area.view, ends[1]!));
  t.equal(bodySizeAt(area.view, ends[1]!), reference.size, 'of a large message the real size');
  t.equal(messageSizeAt(area.view, ends[1]!), ends[2]! - ends[1]!);
  t.equal(largeFileAt(area.view, ends[1]!), far);
  t.equal(largeFileAt(area.view, ends[2]!), 7);
  t.equal(largeFileAt(area.view, 3), 0);
});

t.test('the largest envelope and large properties keep their sizes', async (t) => {
  const area = newByteArea(400_000);
  const message = { ...testMessage(1, 4), envelopeSize: 512, propertiesSize: 300_000 };
  message.head = newByteArea(301_000);
  const end = writeMessage(area, 0, message, 0, 0);
  t.equal(messageSizeAt(area.view, 0), end);
});

t.test('a record of an unknown kind is not stepped over', async (t) => {
  const area = newByteArea(64);
  for (const kind of [0, 9, 255]) {
    area.buf.fill(0);
    area.buf[0] = kind;
    const seen: unknown[] = [];
    t.equal(visitRecord(area, 0, noting(seen)), -1);
    t.same(seen, []);
  }
});
