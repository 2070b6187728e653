/** Reads the files of a segment whole, waiting: for recovery and the tools. */
import type { FileSystem } from './fs.ts';
import type { Segment } from './segment.ts';

/**
 * Reads segments one after the other into the same memory: a page that nobody used before takes the kernel longer to
 * find than what it then holds takes to read.
 */
export class SegmentFiles {
  private readonly fs: FileSystem;
  private memory: Buffer;

  constructor(fs: FileSystem) {
    this.fs = fs;
    this.memory = Buffer.alloc(0);
  }

  /**
   * The bytes of a segment, each offset from the file that holds it, until the next call. Those before the offset
   * `start` are not asked for: they may be anything.
   */
  read({ files }: Segment, start: number = 0): Buffer {
    if (files.length === 1 && files[0]!.from === 0) return this.readFrom(files[0]!.path, start);
    const pieces: Buffer[] = [];
    let at = 0;
    for (let i = 0; i < files.length; i++) {
      const { path, from } = files[i]!;
      const bytes = this.fs.readFile(path) ?? Buffer.alloc(0);
      if (from > at) pieces.push(Buffer.alloc(from - at));
      const piece = bytes.subarray(from, files[i + 1]?.from);
      pieces.push(piece);
      at = from + piece.length;
    }
    return Buffer.concat(pieces);
  }

  private readFrom(path: string, start: number): Buffer {
    const file = this.fs.openForReading(path);
    try {
      const size = file.size();
      if (this.memory.length < size) this.memory = Buffer.allocUnsafeSlow(size);
      const bytes = this.memory.subarray(0, size);
      let at = start;
      while (at < size) {
        const length = file.readNow(bytes, at, size - at, at);
        if (length === 0) break;
        at += length;
      }
      if (at < size) bytes.fill(0, at);
      return bytes;
    } finally {
      file.close();
    }
  }
}
