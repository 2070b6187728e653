import t from 'tap';
import { IndexRow } from './index-row.ts';
import { RowList } from './row-list.ts';

/** A row as it is when it lies on disk; `segments` as triplets. */
function spilledRow(first: number, segments: readonly number[]): IndexRow {
  const row = new IndexRow(first);
  row.segments.push(...segments);
  for (let at = 1; at < segments.length; at += 3) row.count += segments[at]!;
  row.live = row.count;
  row.stored = row.count;
  row.slot = first % 1000;
  row.slotSince = 7;
  row.crc = 0xfedcba98;
  return row;
}

function numbersOf(row: IndexRow): unknown {
  const { holders: _, ...numbers } = row;
  return structuredClone(numbers);
}

t.test('a packed row tells all that it told before', async (t) => {
  const list = new RowList();
  const rows = [
    spilledRow(1, [3, 8192, 131_072]),
    spilledRow(8193, [3, 1000, 5e9, 4, 7192, 2 ** 40]),
    spilledRow(2 ** 50, [2 ** 25 - 1, 1, 0]),
  ];
  const before = rows.map(numbersOf);
  for (const row of rows) list.push(row);
  for (const at of rows.keys()) t.ok(list.pack(at), `row ${at}`);
  t.same(Array.from(list.views(), numbersOf), before);
  t.same(
    rows.map((_, at) => list.first(at)),
    [1, 8193, 2 ** 50],
  );
  t.same(
    rows.map((_, at) => numbersOf(list.at(at)!)),
    before,
  );
  t.not(list.at(1), rows[1]);
  t.equal(list.at(1), list.at(1), 'an object from now on');
});

t.test('a row that is in use, held, or more than numbers can tell stays an object', async (t) => {
  const refused: ((row: IndexRow) => void)[] = [
    (row) => {
      row.positions = new Float64Array(8192);
    },
    (row) => row.mark(5, 8192) && row.live--,
    (row) => row.mark(0, 8192) && row.live--,
    (row) => row.segments.push(5, 1, 1, 6, 1, 1),
    (row) => {
      row.stored--;
    },
    (row) => {
      row.slot = -1;
    },
    (row) => row.holders++,
    (row) => {
      row.listeners = [];
    },
  ];
  for (const [at, change] of refused.entries()) {
    const list = new RowList();
    const row = spilledRow(1, [1, 8192, 1]);
    change(row);
    list.push(row);
    t.notOk(list.pack(0), `case ${at}`);
    t.equal(list.at(0), row);
  }
});

t.test(
  'packed rows that leave make room for others, and the last one leaves nothing',
  async (t) => {
    const list = new RowList();
    const add = (number: number): void => {
      list.push(spilledRow(number * 8192, [1, 8192, number]));
      list.pack(list.length - 1);
    };
    for (let i = 0; i < 1000; i++) add(i);
    const { packedBytes } = list;
    t.ok(packedBytes <= 2 * 1000 * 48, `${packedBytes} bytes`);
    for (let i = 1000; i < 50_000; i++) {
      list.remove(i % 3 === 0 ? 0 : list.length >> 1);
      add(i);
      if (list.first(list.length - 1) !== i * 8192) t.fail(`row ${i}`);
    }
    const firsts = Array.from(list.views(), ({ first }) => first);
    t.same(
      firsts,
      [...firsts].sort((a, b) => a - b),
    );
    t.equal(list.packedBytes, packedBytes);
    list.truncate(1);
    t.equal(list.length, 1);
    list.remove(0);
    t.match([list.length, list.packedBytes], [0, 0]);
  },
);
