import t from 'tap';
import { collectGarbage } from './collect-garbage.ts';

t.test('what nobody holds is gone after a collection', async (t) => {
  const held = new WeakRef(new Uint8Array(16));
  // A weak reference holds what it was asked for until the turn of the event loop is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  t.equal(held.deref(), undefined);
});
