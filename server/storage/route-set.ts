/**
 * Which queues a message goes to, as storage sees it. Built once per routing result and cached with it;
 * the log notes here under which number the current batch knows it.
 */
import { FOOTER_ROW_SIZE } from './batch-format.ts';
import type { QueueIndex } from './queue-index.ts';

/** The indexes that get one message. */
export class RouteSet {
  /** Indexes of durable queues: they make the message a record of the log. */
  readonly durable: readonly QueueIndex[];
  /** All indexes, durable and transient. */
  readonly references: number;
  /** What the set adds to a batch's footer when every queue in it is new there, in bytes. */
  readonly footerSizeMax: number;
  /** The batch that knows this set (log.ts), 0 for none. */
  batchId: number;
  indexInBatch: number;

  constructor(indexes: readonly QueueIndex[]) {
    this.durable = indexes.filter((index) => index.durable);
    this.references = indexes.length;
    this.footerSizeMax = 4 + this.durable.length * (4 + FOOTER_ROW_SIZE);
    this.batchId = 0;
    this.indexInBatch = 0;
  }
}
