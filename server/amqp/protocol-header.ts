/** The eight octets with which a client begins. */
import { PROTOCOL_HEADER } from '../../generated/index.ts';

/** `AMQP` 0 0 9 1, or `AMQP` 1 1 0 9 as early 0-9 clients sent it. */
export function isAcceptedHeader(header: Buffer): boolean {
  return (
    header.equals(PROTOCOL_HEADER) ||
    (header.toString('latin1', 0, 4) === 'AMQP' && header.readUInt32BE(4) === 0x01010009)
  );
}
