/** Goal: a compacted segment says what was put in, and no damaged byte of it passes. */
import t from 'tap';
import { ByteArea } from '../base/byte-area.ts';
import {
  BlockBuilder,
  blockLengthAt,
  COMPACTED_HEADER_SIZE,
  decodeCompactedHeader,
  decodeTable,
  encodeCompactedHeader,
  isCompacted,
  OffsetTableBuilder,
  readBlock,
} from './compacted-format.ts';

const SALT = 0xfeedbeef;
const HEADER = {
  number: 77,
  salt: SALT,
  createdMs: 1_700_000_000_123.5,
  previousEnd: 2 ** 40,
  endOffset: 33_000_000,
  messageCount: 4,
  tableAt: 9000,
};

/** Records of this test are a length byte and that many bytes. */
const sizeOfRecord = (view: DataView, at: number): number => 1 + view.getUint8(at);

t.test('the header comes back, and a wrong byte in it does not pass', async (t) => {
  const bytes = encodeCompactedHeader(HEADER);
  t.equal(bytes.length, COMPACTED_HEADER_SIZE);
  t.ok(isCompacted(bytes));
  t.same(decodeCompactedHeader(bytes), HEADER);
  for (let i = 0; i < bytes.length; i++) {
    const wrong = Buffer.from(bytes);
    wrong[i]! ^= 1;
    t.type(decodeCompactedHeader(wrong), 'string', `byte ${i}`);
    t.type(decodeCompactedHeader(bytes.subarray(0, i)), 'string');
  }
});

t.test('entries come back with their placements, whatever their size', async (t) => {
  const builder = new BlockBuilder(64);
  const records = [3, 0, 200, 90].map((n) => Buffer.alloc(1 + n, n));
  for (const record of records) record[0] = record.length - 1;
  const placements = [[], [1, 2], [5, 2 ** 50, 6, 1], [9, 9]];
  const at = records.map((record, i) =>
    builder.add(100 * i, placements[i]!, new ByteArea(record), 0, record.length),
  );
  t.notOk(builder.isEmpty);
  const size = builder.size;
  const block = Buffer.from(builder.take(SALT));
  t.equal(block.length, size);
  t.ok(builder.isEmpty);
  const area = new ByteArea(Buffer.concat([Buffer.alloc(10), block, Buffer.alloc(10)]));
  t.equal(blockLengthAt(area.view, 10), block.length);
  t.equal(blockLengthAt(area.view, 0), 0);
  const seen: unknown[] = [];
  const end = readBlock(area, 10, area.buf.length, SALT, sizeOfRecord, (original, placed, p) => {
    seen.push([original, [...placed], p - 10, area.buf.subarray(p, p + 1 + area.buf[p]!)]);
  });
  t.equal(end, 10 + block.length);
  t.same(
    seen,
    records.map((record, i) => [100 * i, placements[i], at[i], record]),
  );
  for (let i = 0; i < block.length; i++) {
    const wrong = Buffer.from(block);
    wrong[i]! ^= 0x10;
    const visited = () => t.fail(`an entry is shown though byte ${i} is wrong`);
    t.equal(
      readBlock(new ByteArea(wrong), 0, wrong.length, SALT, sizeOfRecord, visited),
      -1,
      `byte ${i}`,
    );
  }
});

t.test('the table finds a record by its original offset', async (t) => {
  // Three pieces.
  const COUNT = 20_000;
  const builder = new OffsetTableBuilder();
  for (let i = 0; i < COUNT; i++) builder.add(40 + 10 * i, 60 + 7 * i, 7);
  const bytes = Buffer.concat([...builder.encode(SALT)]);
  const table = decodeTable(bytes, COUNT, SALT)!;
  t.equal(table.length, COUNT);
  t.equal(table.byteLength, 12 * COUNT);
  t.equal(table.firstFrom(0), 0);
  t.equal(table.firstFrom(40), 0);
  t.equal(table.firstFrom(41), 1);
  t.equal(table.firstFrom(1e6), COUNT);
  const row = table.firstFrom(40 + 10 * 16_555);
  t.same(
    [table.originalAt(row), table.offsetAt(row), table.sizeAt(row)],
    [165_590, 60 + 7 * 16_555, 7],
  );
  t.equal(decodeTable(bytes, COUNT, SALT + 1), null);
  t.equal(decodeTable(bytes.subarray(0, -1), COUNT, SALT), null);
  bytes[5000]! ^= 1;
  t.equal(decodeTable(bytes, COUNT, SALT), null);
  const empty = new OffsetTableBuilder();
  t.equal(decodeTable(Buffer.concat([...empty.encode(SALT)]), 0, SALT)?.length, 0);
});
