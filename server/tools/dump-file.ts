/** A data file that is open for looking at: its name, its size, and its bytes where they are asked for. */
import { basename } from 'node:path';
import type { FileSystem, OpenFile } from '../storage/fs.ts';

/** One file, open until {@link DumpFile.close}. */
export class DumpFile {
  readonly fs: FileSystem;
  readonly path: string;
  readonly name: string;
  readonly size: number;
  private readonly file: OpenFile;

  constructor(fs: FileSystem, path: string) {
    this.fs = fs;
    this.path = path;
    this.name = basename(path);
    this.file = fs.openForReading(path);
    this.size = this.file.size();
  }

  /** Up to `length` bytes from `offset` on. */
  read(offset: number, length: number): Buffer {
    const buf = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)));
    let used = 0;
    while (used < buf.length) {
      const count = this.file.readNow(buf, used, buf.length - used, offset + used);
      if (count === 0) break;
      used += count;
    }
    return buf.subarray(0, used);
  }

  /** The whole file; for kinds that are never large. */
  readAll(): Buffer {
    return this.read(0, this.size);
  }

  close(): void {
    this.file.close();
  }
}
