/** Message bodies that say which message they are, and whose every byte can be checked. */
import { Random } from '../random.ts';

/** Number and size of the message stand at its beginning. */
export const BODY_SIZE_MIN: number = 8;
const PATTERN_SIZE = 65_521;

const pattern = makePattern();

function makePattern(): Buffer {
  const random = new Random(4711);
  return Buffer.from(Array.from({ length: PATTERN_SIZE }, () => random.below(256)));
}

/** The body of message `id`, of at least {@link BODY_SIZE_MIN} bytes. */
export function bodyOf(id: number, size: number): Buffer {
  const body = Buffer.alloc(size);
  let at = BODY_SIZE_MIN;
  let from = (id * 7919) % PATTERN_SIZE;
  while (at < size) {
    at += pattern.copy(body, at, from);
    from = 0;
  }
  body.writeUInt32BE(id, 0);
  body.writeUInt32BE(size, 4);
  return body;
}

/** The number of the message with this body; null when a byte of it is wrong. */
export function idOfBody(body: Buffer): number | null {
  if (body.length < BODY_SIZE_MIN) return null;
  const id = body.readUInt32BE(0);
  return bodyOf(id, body.length).equals(body) ? id : null;
}
