import { totalmem } from 'node:os';
import t from 'tap';
import { availableMemoryBytes, memoryMarkBytes, residentMarkBytes } from './resource-limits.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

t.test('no more memory is available than the machine has', async (t) => {
  const available = availableMemoryBytes();
  t.ok(available > 0 && available <= totalmem(), `${available}`);
});

t.test('a watermark is a share of the memory, or bytes', async (t) => {
  t.equal(memoryMarkBytes(0.5, GIB), GIB / 2);
  t.equal(memoryMarkBytes(1, GIB), GIB);
  t.equal(memoryMarkBytes(300 * MIB, GIB), 300 * MIB);
});

t.test(
  'the hard mark is twice the mark, or 256 MiB above, within nine tenths of all',
  async (t) => {
    t.equal(residentMarkBytes(4 * GIB, 10 * GIB), 8 * GIB);
    t.equal(residentMarkBytes(8 * MIB, 10 * GIB), 264 * MIB);
    t.equal(residentMarkBytes(4 * GIB, 5 * GIB), 4.5 * GIB);
    t.equal(residentMarkBytes(5 * GIB, 5 * GIB), 5 * GIB, 'and never below the mark itself');
  },
);
