/**
 * @hot The one queue of the bare broker: contents one behind the other in blocks of memory, and in a file behind them.
 *
 *     record     size u32 | the content's frames, as they came      a block is left where the next one does not fit
 *
 * It has no index, no checksum and no checkpoint, and recovers nothing: it does what nobody can leave out who keeps
 * messages, and so shows what a machine lets a broker reach.
 */
import { fdatasync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ByteArea, copyBytes, newByteArea } from '../../../server/base/byte-area.ts';

const BLOCK_BYTES = 1024 * 1024;
/** The file begins anew where it is longer and nothing waits: a page that it has takes a tenth of the time of a new one. */
const FILE_BYTES_KEPT = 64 * 1024 * 1024;
/** Blocks in memory, of the newest bytes. */
const BLOCKS_KEPT = 8;
const HEAD_BYTES = 4;
/** Stands where a record would, and the block is left. */
const BLOCK_LEFT = 0xffff_ffff;

/** A record to deliver: its content is `area.buf[at..at + size)`. */
export interface BareRecord {
  area: ByteArea;
  at: number;
  size: number;
}

/** Positions are bytes since the beginning. */
export class BareLog {
  /** Messages that wait. */
  ready: number;
  private readonly file: number;
  private readonly writesConsumed: boolean;
  private readonly blocks: readonly ByteArea[];
  /** What is read back, and the position at which it begins; -1: nothing was. */
  private readonly readBlock: ByteArea;
  private readFrom: number;
  private head: number;
  private tail: number;
  private written: number;
  /** The position of the file's first byte. */
  private fileFrom: number;
  private readonly found: BareRecord;

  /** Its file is in `directory`; `writesConsumed`: also what was delivered before it was written. */
  constructor(directory: string, writesConsumed: boolean) {
    this.ready = 0;
    this.file = openSync(join(directory, 'log'), 'w+');
    this.writesConsumed = writesConsumed;
    this.blocks = Array.from({ length: BLOCKS_KEPT }, () => newByteArea(BLOCK_BYTES));
    this.readBlock = newByteArea(BLOCK_BYTES);
    this.readFrom = -1;
    this.head = 0;
    this.tail = 0;
    this.written = 0;
    this.fileFrom = 0;
    this.found = { area: this.readBlock, at: 0, size: 0 };
  }

  get waitingBytes(): number {
    return this.head - this.tail;
  }

  /** HOT per message. Takes the content `source.buf[at..end)`. */
  append(source: ByteArea, at: number, end: number): void {
    const size = end - at;
    const inBlock = this.head % BLOCK_BYTES;
    if (BLOCK_BYTES - inBlock < size + 2 * HEAD_BYTES) this.leaveBlock(inBlock);
    const block = this.blockAt(this.head);
    const to = this.head % BLOCK_BYTES;
    block.view.setUint32(to, size);
    copyBytes(block, to + HEAD_BYTES, source, at, size);
    this.head += HEAD_BYTES + size;
    this.ready++;
  }

  /** HOT per delivery. The oldest record, until the next call; there must be one. */
  peek(): BareRecord {
    const { found } = this;
    for (;;) {
      const area = this.areaOf(this.tail);
      const at = this.tail % BLOCK_BYTES;
      const size = area.view.getUint32(at);
      if (size !== BLOCK_LEFT) {
        found.area = area;
        found.at = at + HEAD_BYTES;
        found.size = size;
        return found;
      }
      this.tail += BLOCK_BYTES - at;
    }
  }

  /** The oldest record is gone. */
  shift(): void {
    this.tail += HEAD_BYTES + this.found.size;
    this.ready--;
  }

  clear(): void {
    this.tail = this.head;
    this.ready = 0;
  }

  /** Writes what has come, once there is a block of it, or `now`. */
  write(now: boolean): void {
    if (!this.writesConsumed) this.written = Math.max(this.written, this.tail);
    if (now || this.head - this.written >= BLOCK_BYTES) this.writeAll();
    if (this.ready > 0 || this.head - this.fileFrom < FILE_BYTES_KEPT) return;
    this.fileFrom = this.head - (this.head % BLOCK_BYTES);
    this.readFrom = -1;
  }

  private writeAll(): void {
    while (this.written < this.head) {
      const from = this.written % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - from, this.head - this.written);
      writeSync(
        this.file,
        this.blockAt(this.written).buf,
        from,
        length,
        this.written - this.fileFrom,
      );
      this.written += length;
    }
  }

  /** Makes stable what was written. */
  sync(done: () => void): void {
    fdatasync(this.file, (error) => {
      if (error !== null) throw error;
      done();
    });
  }

  private blockAt(position: number): ByteArea {
    return this.blocks[Math.floor(position / BLOCK_BYTES) % BLOCKS_KEPT]!;
  }

  private leaveBlock(inBlock: number): void {
    this.blockAt(this.head).view.setUint32(inBlock, BLOCK_LEFT);
    this.head += BLOCK_BYTES - inBlock;
    // The block that comes next holds the oldest bytes in memory.
    if (this.written < this.head - (BLOCKS_KEPT - 1) * BLOCK_BYTES) this.writeAll();
  }

  private areaOf(position: number): ByteArea {
    const block = Math.floor(position / BLOCK_BYTES);
    if (block > Math.floor(this.head / BLOCK_BYTES) - BLOCKS_KEPT) return this.blockAt(position);
    const from = block * BLOCK_BYTES;
    if (this.readFrom !== from) {
      readSync(this.file, this.readBlock.buf, 0, BLOCK_BYTES, from - this.fileFrom);
      this.readFrom = from;
    }
    return this.readBlock;
  }
}
