/**
 * @hot basic.ack frames, encoded once and then only given their delivery tags.
 *
 * Invariant: `bytes[0..count * ACK_FRAME_BYTES)` is what {@link AckSlab.append} was told since the last
 * {@link AckSlab.clear}. It may be cleared once the socket has taken the bytes.
 */
import { encodeBasicAck, sizeOfBasicAck, writeU64 } from '../../generated/index.ts';

/** Frame header (7) and class and method id (4). */
const DELIVERY_TAG_OFFSET = 11;

/** A buffer of ready-made basic.ack frames of one channel. */
export class AckSlab {
  readonly bytes: Buffer;
  readonly capacity: number;
  count: number;
  private readonly frameSizeBytes: number;

  constructor(channel: number, multiple: boolean, capacity: number) {
    const ack = { deliveryTag: 0, multiple };
    this.frameSizeBytes = sizeOfBasicAck(ack);
    this.bytes = Buffer.allocUnsafeSlow(capacity * this.frameSizeBytes);
    this.capacity = capacity;
    this.count = 0;
    for (let at = 0; at < this.bytes.length; ) at = encodeBasicAck(this.bytes, at, channel, ack);
  }

  get isFull(): boolean {
    return this.count === this.capacity;
  }

  /** The frames appended. Borrowed: valid until the next append after a clear. */
  get framesView(): Buffer {
    return this.bytes.subarray(0, this.count * this.frameSizeBytes);
  }

  /** HOT per ack. Sets the tag of the next frame; the slab must not be full. */
  append(deliveryTag: number): void {
    writeU64(this.bytes, this.count * this.frameSizeBytes + DELIVERY_TAG_OFFSET, deliveryTag);
    this.count++;
  }

  clear(): void {
    this.count = 0;
  }
}
