/**
 * One message's frames, repeated: what is written again and again instead of encoding each message.
 *
 * Large enough that a system call is shared by thousands of small messages, small enough that the block
 * stays in the core's second-level cache beside what the kernel copies it to.
 */
const BLOCK_SIZE_BYTES = 256 * 1024;

/** `count` messages of `messageSizeBytes` octets on the wire each, one behind the other. */
export interface MessageBlock {
  readonly bytes: Buffer;
  readonly messageSizeBytes: number;
  readonly count: number;
}

/** As many copies of `message` as fit a block of 256 KiB, at least one. */
export function repeatMessage(message: Buffer): MessageBlock {
  const count = Math.max(1, Math.floor(BLOCK_SIZE_BYTES / message.length));
  const bytes = Buffer.allocUnsafeSlow(count * message.length);
  for (let i = 0; i < count; i++) message.copy(bytes, i * message.length);
  return { bytes, messageSizeBytes: message.length, count };
}

/** The bytes of the first `count` messages. Borrowed from the block. */
export function messagesView(block: MessageBlock, count: number): Buffer {
  return count === block.count
    ? block.bytes
    : block.bytes.subarray(0, count * block.messageSizeBytes);
}
