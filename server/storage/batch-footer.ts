/**
 * @hot The footer of the open batch as it comes together: the rows of the queue table and the route sets.
 * Its layout is in batch-format.ts.
 */
import { CHECKSUM_SIZE, FOOTER_ROW_SIZE } from './batch-format.ts';
import type { RouteSet } from './route-set.ts';

/** Footer without rows and sets: the count of route sets. */
export const FOOTER_BASE_SIZE = 4;
/** A record names its route set in 16 bits. */
const SETS_MAX = 2 ** 16;

/** Rows and route sets of one batch. */
export class BatchFooter {
  rowCount: number;
  private readonly rowNumbers: number[];
  private readonly rowFirsts: number[];
  /** Of each set the count of its rows, then their indexes. */
  private readonly setRows: number[];
  private setCount: number;

  constructor() {
    this.rowCount = 0;
    this.rowNumbers = [];
    this.rowFirsts = [];
    this.setRows = [];
    this.setCount = 0;
  }

  /** Size in bytes with the checksum behind it. */
  get size(): number {
    return (
      this.rowCount * FOOTER_ROW_SIZE + FOOTER_BASE_SIZE + 4 * this.setRows.length + CHECKSUM_SIZE
    );
  }

  clear(): void {
    this.rowCount = 0;
    this.rowNumbers.length = 0;
    this.rowFirsts.length = 0;
    this.setRows.length = 0;
    this.setCount = 0;
  }

  /** Enters a set that the batch `batchId` does not know yet, with the queues that are new in it. */
  enter(set: RouteSet, batchId: number): void {
    if (this.setCount === SETS_MAX) throw new Error('more than 65,536 route sets in one batch');
    set.batchId = batchId;
    set.indexInBatch = this.setCount++;
    const durable = set.durable;
    this.setRows.push(durable.length);
    for (let i = 0; i < durable.length; i++) {
      const index = durable[i]!;
      if (index.batchId !== batchId) {
        index.batchId = batchId;
        index.batchRow = this.rowCount++;
        this.rowNumbers.push(index.number);
        this.rowFirsts.push(index.nextSequence);
      }
      this.setRows.push(index.batchRow);
    }
  }

  /** Writes rows and sets at `at`; returns the offset behind them, where the checksum goes. */
  write(view: DataView, at: number): number {
    let p = at;
    for (let i = 0; i < this.rowCount; i++) {
      view.setFloat64(p, this.rowNumbers[i]!);
      view.setFloat64(p + 8, this.rowFirsts[i]!);
      p += FOOTER_ROW_SIZE;
    }
    view.setUint32(p, this.setCount);
    p += 4;
    for (let i = 0; i < this.setRows.length; i++) {
      view.setUint32(p, this.setRows[i]!);
      p += 4;
    }
    return p;
  }
}
