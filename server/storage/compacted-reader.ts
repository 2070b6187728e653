/**
 * Reads a compacted segment as if it had never been compacted: each record lands at its original offset, and what lies
 * between is zero. So blocks of memory mean the same whatever became of the file.
 */
import { nextTurn } from '../base/next-turn.ts';
import {
  type CompactedHeader,
  decodeTableInSteps,
  type OffsetTable,
  sizeOfTable,
} from './compacted-format.ts';
import { StorageError } from './storage-error.ts';

/** Tables kept in memory, in bytes; the newest stays however large it is. */
const TABLE_BYTES_MAX = 8 * 1024 * 1024;

/** Reads bytes of a file; resolves to their number. */
export type ReadBytes = (buf: Buffer, length: number, offset: number) => Promise<number>;

/** The offset tables in use, over all compacted segments of a vhost. */
export class TableCache {
  /** Least recently used first. */
  private readonly tables: Map<CompactedReader, OffsetTable>;
  private bytes: number;

  constructor() {
    this.tables = new Map();
    this.bytes = 0;
  }

  find(reader: CompactedReader): OffsetTable | null {
    const table = this.tables.get(reader);
    if (table === undefined) return null;
    this.tables.delete(reader);
    this.tables.set(reader, table);
    return table;
  }

  keep(reader: CompactedReader, table: OffsetTable): void {
    this.forget(reader);
    this.tables.set(reader, table);
    this.bytes += table.byteLength;
    for (const [oldest] of this.tables) {
      if (this.bytes <= TABLE_BYTES_MAX || this.tables.size === 1) return;
      this.forget(oldest);
    }
  }

  forget(reader: CompactedReader): void {
    this.bytes -= this.tables.get(reader)?.byteLength ?? 0;
    this.tables.delete(reader);
  }
}

/** One compacted segment file. */
export class CompactedReader {
  readonly path: string;
  readonly header: CompactedHeader;
  private readonly readBytes: ReadBytes;
  private readonly tables: TableCache;

  constructor(path: string, header: CompactedHeader, readBytes: ReadBytes, tables: TableCache) {
    this.path = path;
    this.header = header;
    this.readBytes = readBytes;
    this.tables = tables;
  }

  /**
   * Lays the records that begin at original offsets from `offset` on, before `offset + length`, into `buf` at their
   * distance from `offset`; one that runs past the end is cut there.
   *
   * @returns the bytes of `buf` that mean something: `length`, or up to the end of the segment
   * @throws StorageError when the file cannot be read or is damaged
   */
  async read(buf: Buffer, length: number, offset: number): Promise<number> {
    const table = this.tables.find(this) ?? (await this.loadTable());
    const filled = Math.max(0, Math.min(length, this.header.endOffset - offset));
    buf.fill(0, 0, filled);
    const first = table.firstFrom(offset);
    const last = table.firstFrom(offset + filled) - 1;
    if (first > last) return filled;
    const from = table.offsetAt(first);
    const bytes = await this.readAll(from, table.offsetAt(last) + table.sizeAt(last) - from);
    for (let row = first; row <= last; row++) {
      const at = table.offsetAt(row) - from;
      const to = table.originalAt(row) - offset;
      bytes.copy(buf, to, at, at + Math.min(table.sizeAt(row), filled - to));
    }
    return filled;
  }

  /** Gives back the memory of the table. */
  close(): void {
    this.tables.forget(this);
  }

  private async loadTable(): Promise<OffsetTable> {
    const { messageCount, tableAt, salt } = this.header;
    const bytes = await this.readAll(tableAt, sizeOfTable(messageCount));
    const table = await inTurns(decodeTableInSteps(bytes, messageCount, salt));
    if (table === null) throw new StorageError(this.path, 'the offset table is damaged');
    this.tables.keep(this, table);
    return table;
  }

  private async readAll(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    const count = await this.readBytes(bytes, length, offset);
    if (count < length) throw new StorageError(this.path, `ends before byte ${offset + length}`);
    return bytes;
  }
}

/** Each step but the first in a turn of its own. */
async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
