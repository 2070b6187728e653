/** Reads the files of a segment whole, waiting: for recovery and the tools. */
import type { FileSystem } from './fs.ts';
import type { Segment } from './segment.ts';

/**
 * The bytes of a segment, each offset from the file that holds it. Those before the offset `start` are not asked for:
 * they may be zeros.
 */
export function readSegmentFiles(fs: FileSystem, { files }: Segment, start: number = 0): Buffer {
  if (files.length === 1 && files[0]!.from === 0) return readFrom(fs, files[0]!.path, start);
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < files.length; i++) {
    const { path, from } = files[i]!;
    const bytes = fs.readFile(path) ?? Buffer.alloc(0);
    if (from > at) pieces.push(Buffer.alloc(from - at));
    const piece = bytes.subarray(from, files[i + 1]?.from);
    pieces.push(piece);
    at = from + piece.length;
  }
  return Buffer.concat(pieces);
}

/** A file, with zeros before `start`. */
function readFrom(fs: FileSystem, path: string, start: number): Buffer {
  const file = fs.openForReading(path);
  try {
    const bytes = Buffer.alloc(file.size());
    for (let at = start; at < bytes.length; ) {
      const length = file.readNow(bytes, at, bytes.length - at, at);
      if (length === 0) break;
      at += length;
    }
    return bytes;
  } finally {
    file.close();
  }
}
