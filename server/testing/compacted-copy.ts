/** A segment file as a compaction would leave it, made beside the original. */
import { decodeSegmentHeader, SEGMENT_HEADER_SIZE } from '../storage/batch-format.ts';
import { realFileSystem } from '../storage/fs.ts';
import { LiveOffsets } from '../storage/live-offsets.ts';
import { rewriteSegment } from '../storage/segment-rewriter.ts';

/** Writes what begins at `offsets` in the segment at `path` to the new file `to`, in compacted form. */
export async function writeCompactedCopy(
  path: string,
  to: string,
  offsets: readonly number[],
): Promise<void> {
  const file = realFileSystem.openForReading(path);
  const out = realFileSystem.openForWriting(to);
  try {
    const head = Buffer.alloc(SEGMENT_HEADER_SIZE);
    file.readNow(head, 0, head.length, 0);
    const header = decodeSegmentHeader(head);
    if (typeof header === 'string') throw new Error(header);
    const size = file.size();
    const live = new LiveOffsets();
    for (const offset of offsets) live.mark(offset);
    const segment = {
      ...header,
      path,
      isCompacted: false,
      scanStart: SEGMENT_HEADER_SIZE,
      scanEnd: size,
      size,
      readFile: (buf: Buffer, length: number, at: number) => file.readAt(buf, 0, length, at),
    };
    await rewriteSegment(segment, live, out, Number.MAX_SAFE_INTEGER, () => false);
  } finally {
    file.close();
    out.close();
  }
}
