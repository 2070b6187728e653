import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { OctetMap } from './octet-map.ts';

const keys = fc.uint8Array({ maxLength: 6, max: 3 }).map((octets) => Buffer.from(octets));

/** What a map finds under a key that lies somewhere in a buffer. */
function found(map: OctetMap<number>, key: Buffer): number | null {
  const margin = Buffer.from('margin');
  const buf = Buffer.concat([margin, key, margin]);
  return map.find(buf, margin.length, margin.length + key.length);
}

t.test('it finds what a Map with the octets as text would, while keys come and go', async (t) => {
  checkProperty(
    t,
    fc.property(fc.array(fc.tuple(fc.boolean(), keys), { maxLength: 60 }), keys, (steps, other) => {
      const map = new OctetMap<number>();
      const model = new Map<string, number>();
      const agrees = (key: Buffer): boolean =>
        found(map, key) === (model.get(key.toString('hex')) ?? null);
      for (const [step, [isAdded, key]] of steps.entries()) {
        const text = key.toString('hex');
        if (!isAdded) {
          map.remove(key);
          model.delete(text);
        } else if (!model.has(text)) {
          map.add(key, step);
          model.set(text, step);
        }
        if (map.size !== model.size || !agrees(key) || !agrees(other)) return false;
      }
      return steps.every(([, key]) => agrees(key));
    }),
  );
});

t.test(
  'ten thousand keys are each found, and none of them is left when they have gone',
  async (t) => {
    const map = new OctetMap<number>();
    const all = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`key-${i}`));
    for (const [i, key] of all.entries()) map.add(key, i);
    t.ok(all.every((key, i) => found(map, key) === i));
    t.equal(found(map, Buffer.from('key-10000')), null);
    for (const key of all) map.remove(key);
    t.same(map, new OctetMap());
  },
);
