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
  return repeatMessages([message]);
}

/**
 * As many copies of a round of messages as fit a block of 256 KiB, at least one. Only whole rounds are to be
 * taken of it, so that every round follows the one before.
 *
 * @throws RangeError when the messages are not of one size.
 */
export function repeatMessages(round: readonly Buffer[]): MessageBlock {
  const messageSizeBytes = round[0]?.length ?? 0;
  if (round.some((message) => message.length !== messageSizeBytes)) {
    throw new RangeError('messages of a block are of one size');
  }
  const roundBytes = Buffer.concat(round);
  const rounds = Math.max(1, Math.floor(BLOCK_SIZE_BYTES / roundBytes.length));
  const bytes = Buffer.allocUnsafeSlow(rounds * roundBytes.length);
  for (let i = 0; i < rounds; i++) roundBytes.copy(bytes, i * roundBytes.length);
  return { bytes, messageSizeBytes, count: rounds * round.length };
}

/** The bytes of the first `count` messages. Borrowed from the block. */
export function messagesView(block: MessageBlock, count: number): Buffer {
  return count === block.count
    ? block.bytes
    : block.bytes.subarray(0, count * block.messageSizeBytes);
}
