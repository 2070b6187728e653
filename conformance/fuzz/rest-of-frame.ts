/** What a stream of bytes lacks to end with a whole frame, so that something may follow it. */
import { FRAME_END, FRAME_HEADER_SIZE, PROTOCOL_HEADER } from '../../generated/index.ts';

/** More than any server takes as one frame, in octets: it has refused the frame when it has read its size. */
const REFUSED_SIZE = 200_000;

/**
 * Octets behind which the next frame may begin, or the server knows that none will; null when no frame can follow: an octet that must be a frame's end is
 * another one, or a frame is too large to be waited for.
 *
 * @param bytes from the protocol header on
 */
export function restOfFrame(bytes: Buffer): Buffer | null {
  let at = PROTOCOL_HEADER.length;
  if (bytes.length < at || !bytes.subarray(0, at).equals(PROTOCOL_HEADER)) return null;
  while (at < bytes.length) {
    const header = bytes.subarray(at, at + FRAME_HEADER_SIZE);
    const whole = Buffer.concat([header, Buffer.alloc(FRAME_HEADER_SIZE - header.length)]);
    const size = whole.readUInt32BE(3);
    if (size > REFUSED_SIZE)
      return header.length < whole.length ? whole.subarray(header.length) : null;
    const end = at + FRAME_HEADER_SIZE + size;
    if (end >= bytes.length) {
      const missing = whole.subarray(header.length);
      const payload = Buffer.alloc(end - Math.max(bytes.length, at + FRAME_HEADER_SIZE));
      return Buffer.concat([missing, payload, Buffer.from([FRAME_END])]);
    }
    if (bytes[end] !== FRAME_END) return null;
    at = end + 1;
  }
  return Buffer.alloc(0);
}
