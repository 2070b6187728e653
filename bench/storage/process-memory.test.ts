import { existsSync } from 'node:fs';
import t from 'tap';
import { forgetPeakMemory, peakMemoryBytes, readProcessMemory } from './process-memory.ts';

const skip = existsSync('/proc/self/status') ? false : 'there is no /proc here';
const BLOCK_BYTES = 64 * 1024 * 1024;

t.test('what a process fills with octets shows in its memory and its peak', { skip }, async (t) => {
  forgetPeakMemory(process.pid);
  const before = readProcessMemory(process.pid);
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  const after = readProcessMemory(process.pid);
  // Other memory of the process may have been given back meanwhile, but not that much.
  t.ok(after.rssBytes - before.rssBytes > BLOCK_BYTES / 2);
  t.ok(peakMemoryBytes(process.pid) >= after.rssBytes - BLOCK_BYTES / 8);
  if (after.pssBytes !== null) t.ok(after.pssBytes > BLOCK_BYTES / 2);
  t.equal(block.at(-1), 1);
});

t.test('a process that is not there is an error', { skip }, async (t) => {
  t.throws(() => readProcessMemory(2 ** 30), { code: 'ENOENT' });
});
