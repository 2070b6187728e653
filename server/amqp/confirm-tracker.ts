/**
 * @hot The confirms of a channel, in publishing order.
 *
 * A message in the log is confirmed when the log is durable behind it; any other one when all before it
 * are. All publishes of one batch share an entry, so that the work per message is a comparison and two
 * stores.
 */

/** Publishes up to `sequence` are settled once the log is durable behind `position`. */
interface PendingConfirms {
  readonly batchId: number;
  sequence: number;
  position: number;
}

/** Counts publishes and says which may be confirmed. */
export class ConfirmTracker {
  /** Sequence number of the last publish; the first is 1. */
  published: number;
  /** All up to here may be confirmed. */
  settled: number;
  /** All up to here have been confirmed. */
  confirmed: number;
  private readonly pending: PendingConfirms[];
  private last: PendingConfirms | null;

  constructor() {
    this.published = 0;
    this.settled = 0;
    this.confirmed = 0;
    this.pending = [];
    this.last = null;
  }

  get isWaiting(): boolean {
    return this.last !== null;
  }

  /** HOT. `count` publishes that need nothing from the disk. */
  publishedWithoutLog(count: number): void {
    this.published += count;
    const sequence = this.published;
    if (this.last === null) this.settled = sequence;
    else this.last.sequence = sequence;
  }

  /**
   * HOT. `count` publishes whose records lie in the batch `batchId`, the last at `position`.
   *
   * @returns true when this is the first of its batch: the caller asks the log to be told.
   */
  publishedToLog(batchId: number, position: number, count: number): boolean {
    this.published += count;
    const sequence = this.published;
    const last = this.last;
    if (last !== null && last.batchId === batchId) {
      last.sequence = sequence;
      last.position = position;
      return false;
    }
    this.last = { batchId, sequence, position };
    this.pending.push(this.last);
    return true;
  }

  /** The log is durable up to `durableUpTo`. */
  durableAdvanced(durableUpTo: number): void {
    const pending = this.pending;
    let count = 0;
    while (count < pending.length && pending[count]!.position < durableUpTo) {
      this.settled = pending[count]!.sequence;
      count++;
    }
    if (count === pending.length) {
      pending.length = 0;
      this.last = null;
    } else if (count > 0) {
      pending.splice(0, count);
    }
  }
}
