import t from 'tap';
import { recordKindsIn } from './record-kinds.ts';

t.test('bytes that a crash has torn are looked at no further', async (t) => {
  const torn = Buffer.alloc(200);
  torn.write('FBAT', 0, 'latin1');
  for (const length of [0, 8, 10_000]) {
    torn.writeUInt32BE(length, 4);
    t.same(recordKindsIn([{ path: '/data/x/msgs.0000000001', offset: 40, bytes: torn }]), []);
  }
  const gap = Buffer.alloc(100);
  gap.write('FGAP', 0, 'latin1');
  t.same(recordKindsIn([{ path: '/data/x/msgs.0000000001', offset: 40, bytes: gap }]), ['gap']);
});
