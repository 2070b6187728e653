import t from 'tap';
import { testMessage, testMessageIdAt } from '../testing/test-message.ts';
import { BLOCK_SIZE, BlockPool } from './memory-block.ts';
import { TRANSIENT_POSITION_FIRST } from './position.ts';
import { TransientLane } from './transient-lane.ts';

const BODY_SIZE = 1000;
/** More than fits one block. */
const BLOCKFUL = Math.ceil(BLOCK_SIZE / BODY_SIZE);

function idAt(lane: TransientLane, position: number): number {
  const block = lane.locate(position);
  return block === null ? -1 : testMessageIdAt(block.area, position - block.start);
}

t.test('records are found by their position until their last reference is released', async (t) => {
  const lane = new TransientLane(new BlockPool());
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
  const lane = new TransientLane(pool);
  const fill = (): number[] =>
    Array.from({ length: BLOCKFUL }, (_, i) => lane.append(testMessage(i, BODY_SIZE), 1));
  const first = fill();
  const inFirst = first.filter((p) => lane.locate(p) === lane.locate(first[0]!));
  fill();
  const allocated = pool.allocatedBytes;
  for (const position of inFirst.slice(1)) lane.release(position);
  t.equal(idAt(lane, first[0]!), 0, 'one reference keeps the block');
  lane.release(first[0]!);
  t.equal(lane.locate(first[0]!), null);
  t.throws(() => lane.release(first[0]!), /twice/);
  const again = fill();
  t.equal(pool.allocatedBytes, allocated, 'no more memory than before');
  t.ok(again.includes(first[0]!), 'the freed positions are given out again');
  lane.close();
});

t.test('the current block begins anew when nothing in it is wanted', async (t) => {
  const lane = new TransientLane(new BlockPool());
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
    const lane = new TransientLane(pool);
    const small = lane.append(testMessage(1), 1);
    const large = lane.append(testMessage(2, 3 * BLOCK_SIZE), 1);
    t.equal(idAt(lane, large), 2);
    t.equal(idAt(lane, small), 1);
    lane.append(testMessage(3), 1);
    lane.release(large);
    t.equal(pool.allocatedBytes, 2 * BLOCK_SIZE, 'a block of odd size is not kept');
    lane.close();
    t.equal(lane.locate(small), null);
  },
);
