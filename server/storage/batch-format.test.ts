import t from 'tap';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import {
  BATCH_HEADER_SIZE,
  CHECKSUM_SIZE,
  checksumBatch,
  decodeSegmentHeader,
  encodeGap,
  encodeSegmentHeader,
  GAP_SIZE,
  readBatch,
  SEGMENT_HEADER_SIZE,
  sealBatch,
} from './batch-format.ts';
import { readSegment } from './log-reader.ts';
import { positionAt } from './position.ts';

const SALT = 0xfeedbeef;
const POSITION = 2 ** 40 + 5;
const HEADER = { position: POSITION, timeMs: 1.5, syncedUpTo: 2 ** 40, footerAt: 60, rowCount: 2 };

/** A sealed batch of `size` bytes at `start` of an area, between other bytes. */
function sealed(start: number, size: number, position: number = POSITION): ByteArea {
  const area = newByteArea(start + size + 9);
  area.buf.fill(0x5a);
  sealBatch(area, start, start + size, { ...HEADER, position });
  checksumBatch(area, start, start + size, SALT);
  return area;
}

t.test('a sealed batch is read back with all its header says', async (t) => {
  const area = sealed(7, 200);
  t.same(readBatch(area, 7, area.buf.length, POSITION, SALT), {
    isGap: false,
    length: 200,
    ...HEADER,
  });
});

t.test(
  'a batch with any byte changed, another place, another salt or a cut end is none',
  async (t) => {
    const area = sealed(7, 120);
    for (let at = 7; at < 127; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        area.buf[at]! ^= flip;
        if (readBatch(area, 7, area.buf.length, POSITION, SALT) !== null) t.fail(`byte ${at}`);
        area.buf[at]! ^= flip;
      }
    }
    t.not(readBatch(area, 7, area.buf.length, POSITION, SALT), null);
    t.equal(readBatch(area, 7, area.buf.length, POSITION + 1, SALT), null);
    t.equal(readBatch(area, 7, area.buf.length, POSITION, SALT + 1), null);
    for (let end = 7; end < 127; end++) t.equal(readBatch(area, 7, end, POSITION, SALT), null);
  },
);

t.test(
  'a gap stands for bytes that need not be there, and any byte changed is noticed',
  async (t) => {
    const gap = encodeGap(POSITION, 5000, 2.5, 77, SALT);
    t.equal(gap.length, GAP_SIZE);
    const area = new ByteArea(gap);
    const header = readBatch(area, 0, gap.length, POSITION, SALT);
    t.match(header, { isGap: true, length: 5000, position: POSITION, timeMs: 2.5, syncedUpTo: 77 });
    for (let at = 0; at < gap.length; at++) {
      gap[at]! ^= 0x10;
      t.equal(readBatch(area, 0, gap.length, POSITION, SALT), null, `byte ${at}`);
      gap[at]! ^= 0x10;
    }
  },
);

t.test('a segment header comes back, and any damage to it is a sentence', async (t) => {
  const header = { number: 77, salt: SALT, createdMs: 123.25, previousEnd: 2 ** 41 };
  const bytes = encodeSegmentHeader(header);
  t.same(decodeSegmentHeader(bytes), header);
  for (let at = 0; at < SEGMENT_HEADER_SIZE; at++) {
    bytes[at]! ^= 0x20;
    t.type(decodeSegmentHeader(bytes), 'string', `byte ${at}`);
    bytes[at]! ^= 0x20;
    t.type(decodeSegmentHeader(bytes.subarray(0, at)), 'string', `cut at ${at}`);
  }
});

t.test(
  'a segment is cut into batches, gaps and what is neither; bytes in a body are no batch',
  async (t) => {
    const header = { number: 3, salt: SALT, createdMs: 0, previousEnd: 0 };
    const at = SEGMENT_HEADER_SIZE;
    const first = sealed(0, 100, positionAt(3, at)).buf.subarray(0, 100);
    const broken = sealed(0, 80, positionAt(3, at + 100)).buf.subarray(0, 80);
    // A whole batch as the body of a message, as a client without the salt might write it.
    const body = new ByteArea(broken);
    sealBatch(body, BATCH_HEADER_SIZE, 70 + CHECKSUM_SIZE, {
      ...HEADER,
      position: positionAt(3, at + 100 + BATCH_HEADER_SIZE),
    });
    checksumBatch(body, BATCH_HEADER_SIZE, 70 + CHECKSUM_SIZE, 0);
    const gap = encodeGap(positionAt(3, at + 180), 300, 0, 0, SALT);
    const last = sealed(0, 60, positionAt(3, at + 480)).buf.subarray(0, 60);
    const hole = Buffer.alloc(300 - GAP_SIZE);
    const segment = Buffer.concat([
      encodeSegmentHeader(header),
      first,
      broken,
      gap,
      hole,
      last,
      Buffer.from('FBAT and then nothing that makes a batch'),
    ]);
    const content = readSegment(segment, header);
    t.same(
      content.batches.map((b) => [b.position - positionAt(3, 0), b.length, b.isGap]),
      [
        [at, 100, false],
        [at + 180, 300, true],
        [at + 480, 60, false],
      ],
    );
    t.same(content.invalid, [
      { from: at + 100, to: at + 180 },
      { from: at + 540, to: segment.length },
    ]);
    t.equal(content.validEnd, at + 540);
    t.equal(content.syncedUpTo, 2 ** 40);
  },
);
