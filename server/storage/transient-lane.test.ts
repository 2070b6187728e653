import t from 'tap';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { testMessage, testMessageIdAt } from '../testing/test-message.ts';
import { BLOCK_SIZE, BlockPool } from './memory-block.ts';
import { TRANSIENT_POSITION_FIRST } from './position.ts';
import { SPILL_FOLDER, TransientLane } from './transient-lane.ts';

const BODY_SIZE = 1000;
/** More than fits one block. */
const BLOCKFUL = Math.ceil(BLOCK_SIZE / BODY_SIZE);

const DIRECTORY = '/data/vhost';
const SPILL_PATH = `${DIRECTORY}/${SPILL_FOLDER}`;

interface LaneSetup {
  readonly pool?: BlockPool;
  readonly fs?: SimulatedFs;
  readonly memoryMax?: number;
  readonly freed?: (from: number, to: number) => void;
}

function openLane(setup: LaneSetup = {}): TransientLane {
  const { pool = new BlockPool(), fs = new SimulatedFs(), freed = () => {} } = setup;
  return new TransientLane(pool, fs, DIRECTORY, setup.memoryMax ?? 2 ** 40, freed);
}

function idAt(lane: TransientLane, position: number): number {
  const block = lane.locate(position);
  return block === null ? -1 : testMessageIdAt(block.area, position - block.start);
}

t.test('records are found by their position until their last reference is released', async (t) => {
  const lane = openLane();
  const position = lane.append(testMessage(1), 2);
  const other = lane.append(testMessage(2), 1);
  t.ok(position >= TRANSIENT_POSITION_FIRST);
  t.equal(idAt(lane, position), 1);
  lane.release(position);
  t.equal(idAt(lane, position), 1);
  t.equal(idAt(lane, other), 2);
  lane.close();
});

t.test('memory goes block by block, and the number of a freed block is used again', async (t) => {
  const pool = new BlockPool();
  const lane = openLane({ pool });
  const fill = (): number[] =>
    Array.from({ length: BLOCKFUL }, (_, i) => lane.append(testMessage(i, BODY_SIZE), 1));
  const first = fill();
  const inFirst = first.filter((p) => lane.locate(p) === lane.locate(first[0]!));
  fill();
  const allocated = pool.usedBytes;
  for (const position of inFirst.slice(1)) lane.release(position);
  t.equal(idAt(lane, first[0]!), 0, 'one reference keeps the block');
  lane.release(first[0]!);
  t.equal(lane.locate(first[0]!), null);
  t.throws(() => lane.release(first[0]!), /twice/);
  const again = fill();
  t.equal(pool.usedBytes, allocated, 'no more memory than before');
  t.ok(again.includes(first[0]!), 'the freed positions are given out again');
  lane.close();
});

t.test('the current block begins anew when nothing in it is wanted', async (t) => {
  const lane = openLane();
  const position = lane.append(testMessage(1), 1);
  lane.release(position);
  t.equal(lane.append(testMessage(2), 1), position);
  t.equal(idAt(lane, position), 2);
  lane.close();
});

t.test(
  'a message larger than a block gets one of its own, and all memory goes at the end',
  async (t) => {
    const pool = new BlockPool();
    const lane = openLane({ pool });
    const small = lane.append(testMessage(1), 1);
    const large = lane.append(testMessage(2, 3 * BLOCK_SIZE), 1);
    t.equal(idAt(lane, large), 2);
    t.equal(idAt(lane, small), 1);
    lane.append(testMessage(3), 1);
    lane.release(large);
    t.equal(pool.usedBytes, 2 * BLOCK_SIZE, 'the large block is given back');
    lane.close();
    t.equal(lane.locate(small), null);
  },
);

/** The message at `position`, read back from its file when it is not in memory. */
async function readId(lane: TransientLane, position: number): Promise<number> {
  if (lane.locate(position) !== null) return idAt(lane, position);
  const block = new BlockPool().acquire(position, BLOCK_SIZE);
  await lane.read(block, position, BLOCK_SIZE);
  return testMessageIdAt(block.area, 0);
}

t.test(
  'past its memory the oldest blocks are spilled, and every message is still there',
  async (t) => {
    const pool = new BlockPool();
    const fs = new SimulatedFs();
    const lane = openLane({ pool, fs, memoryMax: 3 * BLOCK_SIZE });
    const positions = Array.from({ length: 8 * BLOCKFUL }, (_, id) =>
      lane.append(testMessage(id, BODY_SIZE), 1),
    );
    t.ok(pool.usedBytes <= 4 * BLOCK_SIZE, 'three blocks, and the one being filled');
    t.equal(positions.filter((p) => lane.locate(p) !== null).length < 4 * BLOCKFUL, true);
    t.equal(lane.locate(positions[0]!), null);
    t.ok(lane.locate(positions.at(-1)!));
    for (let id = 0; id < positions.length; id += 97) {
      t.equal(await readId(lane, positions[id]!), id, `message ${id}`);
    }
    t.equal(await readId(lane, positions.at(-1)!), positions.length - 1);
    const spilledFiles = fs.list(SPILL_PATH).length;
    t.ok(spilledFiles >= 4);
    for (const position of positions) lane.release(position);
    t.same(fs.list(SPILL_PATH), [], 'a file goes with its last reference');
    lane.close();
  },
);

t.test('positions of a spilled block are told to be free before they come again', async (t) => {
  const freed: number[][] = [];
  const lane = openLane({ memoryMax: BLOCK_SIZE, freed: (from, to) => freed.push([from, to]) });
  const first = lane.append(testMessage(1, BODY_SIZE), 1);
  const more: number[] = [];
  for (let i = 0; i < 2 * BLOCKFUL; i++) more.push(lane.append(testMessage(i, BODY_SIZE), 1));
  const beside = more.filter((p) => p < first + BLOCK_SIZE);
  t.equal(lane.locate(first), null, 'spilled');
  for (const position of beside) lane.release(position);
  t.same(freed, []);
  lane.release(first);
  t.same(freed, [[first, beside.at(-1)! + (beside[1]! - beside[0]!)]]);
  t.throws(() => lane.release(first), /twice/);
  const block = new BlockPool().acquire(first, BLOCK_SIZE);
  await lane.read(block, first, 100);
  t.equal(block.used, 0, 'a read that comes too late brings nothing');
  lane.close();
});

t.test('a disk that refuses a spill costs memory and no message', async (t) => {
  const fs = new SimulatedFs();
  const lane = openLane({ fs, memoryMax: BLOCK_SIZE });
  fs.failNext('write', 'ENOSPC');
  const positions = Array.from({ length: Math.floor(1.5 * BLOCKFUL) }, (_, id) =>
    lane.append(testMessage(id, BODY_SIZE), 1),
  );
  t.same(fs.list(SPILL_PATH), [], 'nothing half-written stays');
  for (const [id, position] of positions.entries()) t.equal(idAt(lane, position), id);
  for (let i = 0; i < BLOCKFUL; i++) lane.append(testMessage(i, BODY_SIZE), 1);
  t.ok(fs.list(SPILL_PATH).length >= 1, 'it is tried again with the next block');
  lane.close();
  t.same(fs.list(SPILL_PATH), []);
});

t.test('what an earlier run had spilled is deleted', async (t) => {
  const fs = new SimulatedFs();
  const lane = openLane({ fs, memoryMax: BLOCK_SIZE });
  for (let i = 0; i < 3 * BLOCKFUL; i++) lane.append(testMessage(i, BODY_SIZE), 1);
  t.ok(fs.list(SPILL_PATH).length > 0);
  const next = openLane({ fs });
  t.same(fs.list(SPILL_PATH), []);
  next.close();
});

t.test('a spilled file that was cut short is an error, not silence', async (t) => {
  const fs = new SimulatedFs();
  const lane = openLane({ fs, memoryMax: BLOCK_SIZE });
  const first = lane.append(testMessage(1, BODY_SIZE), 1);
  for (let i = 0; i < 2 * BLOCKFUL; i++) lane.append(testMessage(i, BODY_SIZE), 1);
  const [name] = fs.list(SPILL_PATH);
  fs.openForWriting(`${SPILL_PATH}/${name}`).truncate(100);
  const block = new BlockPool().acquire(first, BLOCK_SIZE);
  await t.rejects(lane.read(block, first, BLOCK_SIZE), /ends before byte/);
});
