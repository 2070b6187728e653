/**
 * The closed batches on their way to the files.
 *
 * A batch whose messages have all left their queues when its turn comes, and whose operations concern only such
 * messages, is never written. A gap stands for any number of them; its header is written before the next batch,
 * or when somebody asks for it.
 *
 * A batch gets its checksum when it is written. A write that fails changes nothing that matters: what was not written
 * stays, and goes to the same place the next time.
 */
import type { Clock } from '../base/clock.ts';
import { checksumBatch, encodeGap } from './batch-format.ts';
import type { MemoryBlock } from './memory-block.ts';
import { offsetOf } from './position.ts';
import type { Segment } from './segment.ts';

/** A batch that is complete in memory. */
export interface ClosedBatch {
  readonly block: MemoryBlock;
  readonly segment: Segment;
  /** Its first position, and the one behind it. */
  readonly start: number;
  readonly end: number;
  /** References to its messages. */
  live: number;
  /** It must go to the file. */
  isNeeded: boolean;
  /** The lowest position of a message that its operations concern. */
  readonly operationsFrom: number;
}

/** What takes the bytes (log-sync.ts). */
export interface BatchSink {
  /** All before this position is stable in the files. */
  readonly stableUpTo: number;
  /** Writes `buf[start..end)` at an offset of a segment. @throws StorageError */
  write(segment: Segment, buf: Buffer, start: number, end: number, offset: number): void;
}

/** Writes closed batches, or the gaps that stand for them, in order. */
export class BatchWriter {
  /** All before it is in the file, or a gap. */
  writtenUpTo: number;
  /** Bytes in batches not yet written. */
  bytes: number;
  /** Monotonic time at which the oldest of them was closed. */
  sinceMs: number;
  /** First position of the batches left unwritten whose gap header is still to be written; -1: none. */
  gapFrom: number;

  private readonly sink: BatchSink;
  private readonly clock: Clock;
  private readonly writesConsumed: boolean;
  private readonly batches: ClosedBatch[];
  private gapUpTo: number;
  private gapSegment: Segment | null;
  /** End of the last batch that really went to a file. */
  private writtenForReal: number;

  /** @param writesConsumed leave nothing unwritten */
  constructor(sink: BatchSink, clock: Clock, position: number, writesConsumed: boolean) {
    this.sink = sink;
    this.clock = clock;
    this.writesConsumed = writesConsumed;
    this.writtenUpTo = position;
    this.bytes = 0;
    this.sinceMs = 0;
    this.batches = [];
    this.gapFrom = -1;
    this.gapUpTo = -1;
    this.gapSegment = null;
    this.writtenForReal = position;
  }

  get isEmpty(): boolean {
    return this.batches.length === 0;
  }

  /** What goes to a file next: the gap before the batches, or the first of them; null when nothing is left. */
  get next(): { readonly segment: Segment; readonly position: number } | null {
    if (this.gapSegment !== null) return { segment: this.gapSegment, position: this.gapFrom };
    const batch = this.batches[0];
    return batch === undefined ? null : { segment: batch.segment, position: batch.start };
  }

  /** Takes the batch that follows the last one. */
  add(batch: ClosedBatch): void {
    if (this.batches.length === 0) this.sinceMs = this.clock.monotonicMs;
    this.batches.push(batch);
    this.bytes += batch.end - batch.start;
  }

  /** HOT per message and queue that keeps up: `count` references more to the record at `position`. */
  refer(position: number, count: number): void {
    this.batches[this.find(position)]!.live += count;
  }

  /**
   * HOT per run of messages. One reference less to each record at the ascending `positions[from..to)`, as far as they
   * lie in closed batches; returns the index of the first that does not.
   */
  releaseRun(positions: Float64Array, from: number, to: number): number {
    const { batches } = this;
    let at = from;
    for (let i = at < to ? this.find(positions[at]!) : 0; at < to && i < batches.length; i++) {
      const batch = batches[i]!;
      const first = at;
      while (at < to && positions[at]! < batch.end) at++;
      batch.live -= at - first;
    }
    return at;
  }

  /** Index of the batch that holds `position`, or of the last one. */
  private find(position: number): number {
    const { batches } = this;
    let low = 0;
    let high = batches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (batches[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Writes all closed batches, and the gaps before them.
   *
   * @throws StorageError with what was written taken out, and the rest where it was
   */
  write(): void {
    if (this.batches.length === 0) return;
    this.markNeeded();
    let done = 0;
    try {
      while (done < this.batches.length) {
        done = this.batches[done]!.isNeeded ? this.writeRun(done) : this.skip(done);
      }
    } finally {
      this.takeOut(done);
    }
  }

  /** Writes the gap header that is still to be written. @throws StorageError */
  writeGap(): void {
    const { gapSegment: segment, gapFrom } = this;
    if (gapFrom < 0 || segment === null) return;
    const { wallMs } = this.clock;
    const { stableUpTo } = this.sink;
    const gap = encodeGap(gapFrom, this.gapUpTo - gapFrom, wallMs, stableUpTo, segment.salt);
    this.sink.write(segment, gap, 0, gap.length, offsetOf(gapFrom));
    this.gapFrom = -1;
    this.gapSegment = null;
  }

  /** Whether something of the segment is still to be written. */
  concerns(segment: Segment): boolean {
    return this.gapSegment === segment || this.batches.some((batch) => batch.segment === segment);
  }

  /**
   * Decides which batches go to the file: those with a message that is still wanted, those that say something of
   * their own, those that settle a message of the file; and, so that no record in the file concerns a message
   * that is not there, all from the first message that such a batch concerns on.
   */
  private markNeeded(): void {
    const { batches } = this;
    let fileEnd = this.writtenForReal;
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i]!;
      if (this.writesConsumed || batch.live > 0 || batch.operationsFrom < fileEnd) {
        batch.isNeeded = true;
      }
      if (!batch.isNeeded) continue;
      fileEnd = batch.end;
      let from = batch.operationsFrom;
      for (let j = i - 1; j >= 0 && batches[j]!.end > from; j--) {
        batches[j]!.isNeeded = true;
        from = Math.min(from, batches[j]!.operationsFrom);
      }
    }
  }

  /** Writes the batches from `from` on that are needed and lie side by side in one block; the index behind. */
  private writeRun(from: number): number {
    const { batches } = this;
    const { block, segment, start } = batches[from]!;
    let to = from + 1;
    while (to < batches.length && batches[to]!.isNeeded && batches[to]!.block === block) to++;
    const { end } = batches[to - 1]!;
    this.writeGap();
    const { area, start: base } = block;
    // Only now: most batches of queues whose consumers keep up never get this far.
    for (let i = from; i < to; i++) {
      const batch = batches[i]!;
      checksumBatch(area, batch.start - base, batch.end - base, segment.salt);
    }
    block.isWritten = true;
    this.sink.write(segment, area.buf, start - base, end - base, offsetOf(start));
    this.writtenForReal = end;
    return to;
  }

  /** Makes a batch part of the gap; the index behind it. */
  private skip(at: number): number {
    const batch = this.batches[at]!;
    if (this.gapSegment !== batch.segment) this.writeGap();
    if (this.gapFrom < 0) this.gapFrom = batch.start;
    this.gapSegment = batch.segment;
    this.gapUpTo = batch.end;
    return at + 1;
  }

  private takeOut(count: number): void {
    if (count === 0) return;
    const last = this.batches[count - 1]!;
    for (let i = 0; i < count; i++) {
      const { start, end } = this.batches[i]!;
      this.bytes -= end - start;
    }
    this.writtenUpTo = last.end;
    this.batches.splice(0, count);
  }
}
