/** The eight octets with which a client begins (spec 4.2.2). */
import { PROTOCOL_HEADER } from '../../generated/index.ts';

/** Gathers them, however they come. */
export class ProtocolHeaderReader {
  /** What has come of them. */
  bytes: Buffer;

  constructor() {
    this.bytes = Buffer.alloc(0);
  }

  /** Takes what a socket brought; what lies behind the header once that is there, null before. */
  take(chunk: Buffer): Buffer | null {
    const all = Buffer.concat([this.bytes, chunk]);
    this.bytes = all.subarray(0, PROTOCOL_HEADER.length);
    return all.length < PROTOCOL_HEADER.length ? null : all.subarray(PROTOCOL_HEADER.length);
  }

  /** `AMQP` 0 0 9 1, or `AMQP` 1 1 0 9 as early 0-9 clients sent it. */
  get isAccepted(): boolean {
    const { bytes } = this;
    return (
      bytes.equals(PROTOCOL_HEADER) ||
      (bytes.toString('latin1', 0, 4) === 'AMQP' && bytes.readUInt32BE(4) === 0x01010009)
    );
  }
}
