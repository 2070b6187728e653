/**
 * Writes what is left of a segment into a file of the compacted form. The caller knows which records are live, and
 * puts the file in the place of the segment.
 */
import type { ByteArea } from '../base/byte-area.ts';
import { nextTurn } from '../base/next-turn.ts';
import {
  BlockBuilder,
  COMPACTED_HEADER_SIZE,
  type CompactedHeader,
  encodeCompactedHeader,
  OffsetTableBuilder,
} from './compacted-format.ts';
import type { OpenFile } from './fs.ts';
import type { LiveOffsets } from './live-offsets.ts';
import { RECORD_ENQUEUE } from './record-format.ts';
import { newScanMemory, type ScannedSegment, scanSegment } from './segment-scan.ts';

/** A block is written when it has this many bytes. */
const BLOCK_TARGET_BYTES = 64 * 1024;

/** The segment to rewrite. */
export interface RewrittenSegment extends ScannedSegment {
  readonly createdMs: number;
  readonly previousEnd: number;
  /** Offset at which the log left it. */
  readonly size: number;
}

/** What was written. */
export interface Rewritten {
  readonly header: CompactedHeader;
  /** Size of the file in bytes. */
  readonly fileSize: number;
}

/**
 * Writes the live messages of `segment`, and its enqueue records, to `out`, which is empty, and syncs it. Reads and
 * parses in pieces, each in a turn of its own.
 *
 * @returns null when the result would be larger than `sizeMax` bytes, or `isStopped` says so: `out` is of no use
 *   then
 * @throws StorageError when the segment cannot be read whole, or the disk refuses
 */
export async function rewriteSegment(
  segment: RewrittenSegment,
  live: LiveOffsets,
  out: OpenFile,
  sizeMax: number,
  isStopped: () => boolean,
  memory: ByteArea = newScanMemory(),
): Promise<Rewritten | null> {
  const writer = new CompactedWriter(segment, out);
  const isOver = () => isStopped() || writer.size > sizeMax;
  await scanSegment(
    segment,
    (original, placements, area, at, size) => {
      const isEnqueue = area.view.getUint8(at) === RECORD_ENQUEUE;
      if (isEnqueue || live.has(original)) {
        writer.add(original, placements, area, at, size, isEnqueue);
      }
    },
    { isOver, memory },
  );
  if (isOver()) return null;
  const rewritten = await writer.finish();
  await out.datasync();
  return rewritten;
}

class CompactedWriter {
  private readonly segment: RewrittenSegment;
  private readonly out: OpenFile;
  private readonly block: BlockBuilder;
  private readonly table: OffsetTableBuilder;
  /** Where the open block begins in the file. */
  private at: number;

  constructor(segment: RewrittenSegment, out: OpenFile) {
    this.segment = segment;
    this.out = out;
    this.block = new BlockBuilder(2 * BLOCK_TARGET_BYTES);
    this.table = new OffsetTableBuilder();
    this.at = COMPACTED_HEADER_SIZE;
  }

  /** Size of the file if it ended now, in bytes. */
  get size(): number {
    return this.at + this.block.size + this.table.size;
  }

  add(
    original: number,
    placements: readonly number[],
    area: ByteArea,
    at: number,
    size: number,
    isEnqueue: boolean,
  ): void {
    const offset = this.block.add(original, placements, area, at, size);
    if (!isEnqueue) this.table.add(original, this.at + offset, size);
    if (this.block.size >= BLOCK_TARGET_BYTES) this.writeBlock();
  }

  async finish(): Promise<Rewritten> {
    if (!this.block.isEmpty) this.writeBlock();
    const { number, salt, createdMs, previousEnd, size: endOffset } = this.segment;
    const tableAt = this.at;
    const messageCount = this.table.count;
    const header = { number, salt, createdMs, previousEnd, endOffset, messageCount, tableAt };
    let fileSize = tableAt;
    for (const piece of this.table.encode(salt)) {
      this.write(piece, fileSize);
      fileSize += piece.length;
      await nextTurn();
    }
    this.write(encodeCompactedHeader(header), 0);
    return { header, fileSize };
  }

  private writeBlock(): void {
    const block = this.block.take(this.segment.salt);
    this.write(block, this.at);
    this.at += block.length;
  }

  private write(bytes: Buffer, offset: number): void {
    this.out.writeAt(bytes, 0, bytes.length, offset);
  }
}
