/** Damage to bytes of any protocol. */
import fc, { type Arbitrary } from 'fast-check';

type Change = (bytes: Buffer) => Buffer;

/** Where: a number that is taken modulo what there is. */
const places = fc.nat(100_000);

const changes: Arbitrary<Change> = fc.oneof(
  fc.tuple(places, fc.nat(255)).map(
    ([at, octet]): Change =>
      (bytes) => {
        const changed = Buffer.from(bytes);
        if (changed.length > 0) changed[at % changed.length] = octet;
        return changed;
      },
  ),
  places.map(
    (at): Change =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  fc.tuple(places, fc.uint8Array({ maxLength: 16 })).map(
    ([at, more]): Change =>
      (bytes) => {
        const place = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, place), more, bytes.subarray(place)]);
      },
  ),
  fc.tuple(places, fc.nat(16)).map(
    ([at, count]): Change =>
      (bytes) => {
        const place = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + count)]);
      },
  ),
);

/** The bytes with up to `max` changes: octets turned, cut out or put in, the end cut off. */
export function damaged(original: Arbitrary<Buffer>, max: number): Arbitrary<Buffer> {
  return fc
    .tuple(original, fc.array(changes, { maxLength: max }))
    .map(([bytes, list]) => list.reduce((changed, change) => change(changed), bytes));
}
