/** Writes text to a new file, in pieces; the file is made when there is something to write. */
import { dirname } from 'node:path';
import type { TextSink } from '../base/text-sink.ts';
import type { FileSystem, OpenFile } from '../storage/fs.ts';

/** Characters that are collected before they are written. */
const PIECE_SIZE = 256 * 1024;

/** A file being written. */
export class FileSink implements TextSink {
  private readonly fs: FileSystem;
  private readonly path: string;
  private file: OpenFile | null;
  private waiting: string;
  private size: number;

  constructor(fs: FileSystem, path: string) {
    this.fs = fs;
    this.path = path;
    this.file = null;
    this.waiting = '';
    this.size = 0;
  }

  write(text: string): void {
    this.waiting += text;
    if (this.waiting.length >= PIECE_SIZE) this.flush();
  }

  async drained(): Promise<void> {}

  /** Writes the rest and makes the file stable, which exists then whatever was written. */
  async finish(): Promise<void> {
    await this.flush().datasync();
    await this.fs.syncDirectory(dirname(this.path));
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  private flush(): OpenFile {
    this.file ??= this.fs.openForWriting(this.path);
    const bytes = Buffer.from(this.waiting);
    this.waiting = '';
    this.file.writeAt(bytes, 0, bytes.length, this.size);
    this.size += bytes.length;
    return this.file;
  }
}
