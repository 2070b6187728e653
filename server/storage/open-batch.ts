/**
 * @hot The batch that records are laid into, and the block it lies in.
 *
 *     block  | closed batches | header | records ... |   footer to come   |
 *                             ^ start                ^ at          limit ^
 *
 * A batch ends at {@link BATCH_TARGET_BYTES}, or where the block has no room for another record and the footer.
 * One that is *whole* ends with its block alone: log.ts made it large enough.
 */

import { BatchFooter, FOOTER_BASE_SIZE } from './batch-footer.ts';
import { BATCH_HEADER_SIZE, CHECKSUM_SIZE, sealBatch } from './batch-format.ts';
import type { MemoryBlock } from './memory-block.ts';
import type { RouteSet } from './route-set.ts';

/** A batch is closed when its records reach this many bytes. */
const BATCH_TARGET_BYTES = 64 * 1024;

/** What a batch takes beside its records, when its footer has nothing in it. */
export const BATCH_OVERHEAD: number = BATCH_HEADER_SIZE + FOOTER_BASE_SIZE + CHECKSUM_SIZE;

/** The open batch of a log; one object for all its batches. */
export class OpenBatch {
  /** A route set that has another number must be entered anew. 1 is the first batch. */
  id: number;
  /** Holds the batch. Null while the log is idle. */
  block: MemoryBlock | null;
  /** Offset in the block at which the batch starts; -1: none is open. */
  start: number;
  /** Offset in the block behind the last record. */
  at: number;
  /** A record that would end behind this offset needs another batch or block. */
  limit: number;
  /** References to its messages. */
  live: number;
  /** It holds a record that must go to the file whatever becomes of its messages. */
  mustWrite: boolean;
  /** The lowest position of a message that its settle and enqueue records concern. */
  operationsFrom: number;
  /** It must not be cut. */
  isWhole: boolean;
  readonly footer: BatchFooter;

  constructor() {
    this.id = 1;
    this.block = null;
    this.start = -1;
    this.at = 0;
    this.limit = 0;
    this.live = 0;
    this.mustWrite = false;
    this.operationsFrom = Number.POSITIVE_INFINITY;
    this.isWhole = false;
    this.footer = new BatchFooter();
  }

  get isOpen(): boolean {
    return this.start >= 0;
  }

  /** The position behind the last record. */
  get position(): number {
    return this.block!.start + this.at;
  }

  /** True when the block goes on at `position` and a batch of `size` bytes fits into it. */
  hasRoomAt(position: number, size: number): boolean {
    const block = this.block;
    return (
      block !== null &&
      this.at + size <= block.area.buf.length &&
      block.start + this.at === position
    );
  }

  /** Goes on in another block. */
  useBlock(block: MemoryBlock): void {
    this.block = block;
    this.at = 0;
  }

  /** Begins a batch behind the last one. */
  begin(): void {
    this.start = this.at;
    this.at += BATCH_HEADER_SIZE;
    this.live = 0;
    this.mustWrite = false;
    this.operationsFrom = Number.POSITIVE_INFINITY;
    this.isWhole = false;
    this.footer.clear();
  }

  /** Whether `size` bytes of records and `footerGrowth` of footer still belong into the open batch. */
  takes(size: number, footerGrowth: number): boolean {
    return (
      this.at + size + this.footer.size + footerGrowth <= this.block!.area.buf.length &&
      (this.isWhole || this.at - this.start < BATCH_TARGET_BYTES)
    );
  }

  /** Records may go on until the batch is full, or what is left of the block is needed for the footer. */
  setLimit(footerGrowth: number): void {
    const capacity = this.block!.area.buf.length - this.footer.size - footerGrowth;
    const target = this.start + BATCH_HEADER_SIZE + BATCH_TARGET_BYTES;
    this.limit = this.isWhole ? capacity : Math.min(capacity, target);
  }

  enterRouteSet(set: RouteSet): void {
    this.footer.enter(set, this.id);
    this.setLimit(0);
  }

  /** HOT per record: the record before `at` is whole. */
  advance(at: number): void {
    this.at = at;
    this.block!.used = at;
  }

  /** Writes footer and header, and leaves room for the checksum; returns the batch's length in bytes. */
  seal(timeMs: number, syncedUpTo: number): number {
    const block = this.block!;
    const { start, at: footerAt } = this;
    const end = this.footer.write(block.area.view, footerAt) + CHECKSUM_SIZE;
    sealBatch(block.area, start, end, {
      position: block.start + start,
      timeMs,
      syncedUpTo,
      footerAt: footerAt - start,
      rowCount: this.footer.rowCount,
    });
    this.advance(end);
    this.start = -1;
    this.limit = 0;
    this.id++;
    return this.at - start;
  }
}
