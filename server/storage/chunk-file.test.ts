import t from 'tap';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { ChunkFile } from './chunk-file.ts';
import { FileCache } from './file-cache.ts';
import { IndexRow } from './index-row.ts';
import { QueueIndex } from './queue-index.ts';

const FOLDER = '/data/vhost/enq';
const ENTRIES = 16;

function fullRow(number: number): IndexRow {
  const row = new IndexRow(1 + number * ENTRIES);
  row.count = ENTRIES;
  row.positions = new Float64Array(ENTRIES).fill(number);
  return row;
}

/** Gives a row a slot and writes it there. */
function put(file: ChunkFile, index: QueueIndex, number: number): IndexRow {
  const row = fullRow(number);
  row.slot = file.assign();
  file.write(row);
  index.adoptRow(row);
  return row;
}

t.test(
  'slots that a run frees before it looks at the file are given to one row each',
  async (t) => {
    const fs = new SimulatedFs();
    const cache = new FileCache(fs);
    const index = new QueueIndex(3, true);
    const before = new ChunkFile(cache, FOLDER, index, ENTRIES);
    const rows = [0, 1, 2, 3, 4].map((number) => put(before, index, number));
    before.close();

    const file = new ChunkFile(cache, FOLDER, index, ENTRIES);
    for (let i = 0; i < rows.length; i++) file.adopt();
    index.rows.truncate(1);
    for (const { slot } of rows.splice(1)) file.free(slot, 0, 0);
    file.keep([1, 2]);
    rows.push(put(file, index, 5));
    // What was freed while another checkpoint was kept comes free only now.
    file.keep([2, 3]);
    for (let number = 6; number < 12; number++) rows.push(put(file, index, number));
    const slots = rows.map(({ slot }) => slot);
    t.equal(new Set(slots).size, slots.length, `slots ${slots.join()}`);
    for (const row of rows) {
      const read = new Float64Array(ENTRIES);
      file.readNow(row, read);
      t.same(read, row.positions);
    }
    file.close();
  },
);
