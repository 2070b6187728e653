/**
 * Messages' frames, one behind the other: what is written again and again instead of encoding each message.
 *
 * Large enough that a system call is shared by thousands of small messages, small enough that the block
 * stays in the core's second-level cache beside what the kernel copies it to.
 */
const BLOCK_SIZE_BYTES = 256 * 1024;
/** A round that is larger (many queues times large bodies) would be most of this process's memory. */
const ROUND_SIZE_MAX_BYTES = 256 * 1024 * 1024;

/** Some rounds of messages. */
export interface MessageBlock {
  readonly bytes: Buffer;
  /** Where message i begins, and behind the last one where it ends: `count + 1` offsets. */
  readonly offsets: Uint32Array;
  readonly count: number;
  /** Messages of a round; `count` is a multiple of it. */
  readonly roundCount: number;
}

/** As many copies of `message` as fit a block of 256 KiB, at least one. */
export function repeatMessage(message: Buffer): MessageBlock {
  return repeatMessages([message]);
}

/**
 * As many copies of a round of messages as fit a block of 256 KiB, at least one.
 *
 * @throws RangeError when a single round takes more than 256 MiB.
 */
export function repeatMessages(round: readonly Buffer[]): MessageBlock {
  const roundSizeBytes = round.reduce((sum, message) => sum + message.length, 0);
  if (roundSizeBytes > ROUND_SIZE_MAX_BYTES) {
    const mib = Math.ceil(roundSizeBytes / 2 ** 20);
    throw new RangeError(`a message of each kind takes ${mib} MiB, at most 256 are possible`);
  }
  const rounds = Math.max(1, Math.floor(BLOCK_SIZE_BYTES / roundSizeBytes));
  const count = rounds * round.length;
  const bytes = Buffer.allocUnsafeSlow(rounds * roundSizeBytes);
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += round[i % round.length]!.copy(bytes, at);
    offsets[i + 1] = at;
  }
  return { bytes, offsets, count, roundCount: round.length };
}

/** The bytes of `count` messages, from the block's first on or from that at `index`. Borrowed from the block. */
export function messagesView(block: MessageBlock, count: number, index = 0): Buffer {
  if (count === block.count) return block.bytes;
  return block.bytes.subarray(block.offsets[index], block.offsets[index + count]);
}
