import t from 'tap';
import { PiecePool } from './piece-pool.ts';

const MIB = 1024 * 1024;

t.test('pieces do not overlap, and come back to be used again', async (t) => {
  const pool = new PiecePool(MIB);
  const pieces = Array.from({ length: 40 }, () => pool.acquire());
  for (const [i, piece] of pieces.entries()) piece.buf.fill(i);
  for (const [i, piece] of pieces.entries()) {
    t.equal(piece.buf.length, MIB);
    t.equal(piece.buf[0], i);
    t.equal(piece.view.getUint8(MIB - 1), i);
  }
  t.equal(pool.usedCount, 40);
  pool.release(pieces[3]!);
  t.equal(pool.acquire(), pieces[3]);
});

t.test('a region goes when none of its pieces is in use, and only then', async (t) => {
  const pool = new PiecePool(MIB);
  const pieces = Array.from({ length: 34 }, () => pool.acquire());
  t.equal(pool.trim(), 0, 'the last piece keeps the second region');
  pool.release(pieces.pop()!);
  t.equal(pool.trim(), 33 * MIB);
  for (const piece of pieces.splice(1)) pool.release(piece);
  t.equal(pool.trim(), 0);
  pool.release(pieces.pop()!);
  t.equal(pool.trim(), 33 * MIB);
  t.equal(pool.usedCount, 0);
  t.equal(pool.acquire().buf.length, MIB);
});

t.test('pieces of the first region go first, so that the last one empties', async (t) => {
  const pool = new PiecePool(MIB);
  const first = Array.from({ length: 33 }, () => pool.acquire());
  const second = pool.acquire();
  pool.release(first[7]!);
  pool.release(second);
  t.equal(pool.acquire(), first[7]);
});

t.test('a piece of another pool is refused', async (t) => {
  const pool = new PiecePool(MIB);
  pool.acquire();
  t.throws(() => pool.release(new PiecePool(MIB).acquire()), /not of this pool/);
});
