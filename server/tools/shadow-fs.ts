/**
 * A file system over another one that only pretends to change it: what is written, cut, renamed or deleted is so for
 * whoever looks through the shadow, and nothing happens to the files.
 *
 * So a vhost can be started exactly as a server starts it, without touching its directory. Bytes written are kept in
 * memory, in pages; those of paths that nobody reads back (`isForgotten`) are not kept at all.
 */
import { basename, dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';

const PAGE_SIZE = 64 * 1024;

/** A file as the shadow sees it. */
class ShadowContent {
  /** Where the unchanged bytes come from; null when the file does not exist below. */
  readonly below: string | null;
  /** Bytes below that still count: a cut makes them fewer for good. */
  belowSize: number;
  size: number;
  /** Pages that were written to; null keeps none. */
  readonly pages: Map<number, Buffer> | null;

  constructor(below: string | null, size: number, keepsBytes: boolean) {
    this.below = below;
    this.belowSize = size;
    this.size = size;
    this.pages = keepsBytes ? new Map() : null;
  }
}

class ShadowFile implements OpenFile {
  readonly path: string;
  private readonly content: ShadowContent;
  private readonly below: OpenFile | null;

  constructor(path: string, content: ShadowContent, below: OpenFile | null) {
    this.path = path;
    this.content = content;
    this.below = below;
  }

  size(): number {
    return this.content.size;
  }

  writeAt(buf: Buffer, start: number, end: number, position: number): void {
    const { content } = this;
    for (let at = start; at < end && content.pages !== null; ) {
      const offset = position + at - start;
      const inPage = offset % PAGE_SIZE;
      const count = Math.min(end - at, PAGE_SIZE - inPage);
      buf.copy(this.pageForWriting(offset - inPage), inPage, at, at + count);
      at += count;
    }
    content.size = Math.max(content.size, position + end - start);
  }

  private pageForWriting(offset: number): Buffer {
    const { pages } = this.content;
    let page = pages?.get(offset);
    if (page === undefined) {
      page = Buffer.alloc(PAGE_SIZE);
      this.readBelow(page, 0, PAGE_SIZE, offset);
      pages?.set(offset, page);
    }
    return page;
  }

  async datasync(): Promise<void> {}

  datasyncNow(): void {}

  async readAt(buf: Buffer, start: number, length: number, position: number): Promise<number> {
    return this.readNow(buf, start, length, position);
  }

  readNow(buf: Buffer, start: number, length: number, position: number): number {
    const { pages, size } = this.content;
    const total = Math.max(0, Math.min(length, size - position));
    if (pages === null && total > 0) throw new StorageError(this.path, 'was written and not kept');
    for (let done = 0; done < total; ) {
      const offset = position + done;
      const inPage = offset % PAGE_SIZE;
      const count = Math.min(total - done, PAGE_SIZE - inPage);
      const page = pages?.get(offset - inPage);
      if (page !== undefined) page.copy(buf, start + done, inPage, inPage + count);
      else this.readBelow(buf, start + done, count, offset);
      done += count;
    }
    return total;
  }

  /** Fills `buf` with what lies below, and with zeros where nothing does. */
  private readBelow(buf: Buffer, start: number, length: number, offset: number): void {
    const wanted = Math.max(0, Math.min(length, this.content.belowSize - offset));
    let used = 0;
    while (this.below !== null && used < wanted) {
      const count = this.below.readNow(buf, start + used, wanted - used, offset + used);
      if (count === 0) break;
      used += count;
    }
    buf.fill(0, start + used, start + length);
  }

  truncate(size: number): void {
    const { content } = this;
    content.size = size;
    content.belowSize = Math.min(content.belowSize, size);
    for (const [offset, page] of content.pages ?? []) {
      if (offset >= size) content.pages?.delete(offset);
      else if (offset + PAGE_SIZE > size) page.fill(0, size - offset);
    }
  }

  async truncateLater(size: number): Promise<void> {
    this.truncate(size);
  }

  close(): void {
    this.below?.close();
  }

  async closeLater(): Promise<void> {
    await this.below?.closeLater();
  }
}

/** See the head of the file. */
export class ShadowFileSystem implements FileSystem {
  private readonly below: FileSystem;
  private readonly isForgotten: (path: string) => boolean;
  /** Files that were opened or changed; null: deleted. */
  private readonly files: Map<string, ShadowContent | null>;

  constructor(below: FileSystem, isForgotten: (path: string) => boolean = () => false) {
    this.below = below;
    this.isForgotten = isForgotten;
    this.files = new Map();
  }

  makeDirectory(): void {}

  list(path: string): readonly string[] {
    const names = new Set(this.below.list(path));
    for (const [file, content] of this.files) {
      if (dirname(file) !== path) continue;
      if (content === null) names.delete(basename(file));
      else names.add(basename(file));
    }
    return [...names].sort();
  }

  openForReading(path: string): OpenFile {
    const content = this.find(path);
    if (content === null) throw new StorageError(path, 'open failed: no such file', 'ENOENT');
    return this.open(path, content);
  }

  openForWriting(path: string): OpenFile {
    let content = this.find(path);
    if (content === null) {
      content = new ShadowContent(null, 0, !this.isForgotten(path));
      this.files.set(path, content);
    }
    return this.open(path, content);
  }

  readFile(path: string): Buffer | null {
    if (this.find(path) === null) return null;
    const file = this.openForReading(path);
    try {
      const bytes = Buffer.allocUnsafe(file.size());
      return bytes.subarray(0, file.readNow(bytes, 0, bytes.length, 0));
    } finally {
      file.close();
    }
  }

  rename(from: string, to: string): void {
    const content = this.find(from);
    if (content === null) throw new StorageError(from, 'rename failed: no such file', 'ENOENT');
    this.files.set(to, content);
    this.files.set(from, null);
  }

  async renameLater(from: string, to: string): Promise<void> {
    this.rename(from, to);
  }

  async deleteLater(path: string): Promise<void> {
    this.delete(path);
  }

  delete(path: string): void {
    this.files.set(path, null);
  }

  freeBytes(path: string): number {
    return this.below.freeBytes(path);
  }

  async syncDirectory(): Promise<void> {}

  syncDirectoryNow(): void {}

  private open(path: string, content: ShadowContent): OpenFile {
    const below = content.below === null ? null : this.below.openForReading(content.below);
    return new ShadowFile(path, content, below);
  }

  /** What the shadow knows of a file, looking below the first time; null when there is none. */
  private find(path: string): ShadowContent | null {
    const known = this.files.get(path);
    if (known !== undefined) return known;
    const size = this.sizeBelow(path);
    if (size < 0) return null;
    const content = new ShadowContent(path, size, true);
    this.files.set(path, content);
    return content;
  }

  private sizeBelow(path: string): number {
    try {
      const file = this.below.openForReading(path);
      try {
        return file.size();
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof StorageError && error.errno === 'ENOENT') return -1;
      throw error;
    }
  }
}
