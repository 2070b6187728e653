/**
 * The ports between a queue's index and what stands around it: the store of its chunks (chunk-store.ts), and the
 * live counters of the segments (message-store.ts).
 */
import type { IndexRow, RowListener } from './index-row.ts';
import type { QueueIndex } from './queue-index.ts';

/** Where the rows of indexes are kept while they are not needed in memory. */
export interface ChunkHome {
  /** Entries of a full row; a multiple of eight. */
  readonly rowEntries: number;
  /** Bytes of all arrays of positions in memory. */
  chunkBytes: number;
  /** An array for a full row, counted in `chunkBytes`. */
  takeArray(): Float64Array;
  /** Takes the positions of a row out of memory, for good or because they are on disk. */
  letGo(row: IndexRow): void;
  /** A row was begun: the one before it is full. */
  rowClosed(index: QueueIndex): void;
  /** The cursor entered another row. */
  cursorMoved(index: QueueIndex): void;
  /** Nothing is left in the tail; {@link QueueIndex.shrink} may be called when that is still so later. */
  rested(index: QueueIndex): void;
  /** The row's slot is not needed any more. */
  freeSlot(index: QueueIndex, row: IndexRow): void;
  /** Reads the positions of a row into memory, in the pool; `listener` is called later, never from here. */
  load(index: QueueIndex, row: IndexRow, listener: RowListener): void;
  /** The positions of a row from its slot, waiting. @throws StorageError */
  readNow(index: QueueIndex, row: IndexRow): Float64Array;
}

/** Told of references that were given up. */
export interface ReferenceSink {
  /** Records from here on may not be in the file yet: each has to be given up by itself. */
  readonly unwrittenFrom: number;
  /** One reference to the record at `position`, whose body has `bytes` octets. */
  release(position: number, bytes: number): void;
  /** `count` references to records of a segment that are all written, or live in memory alone. */
  releaseMany(segment: number, count: number, bytes: number): void;
}
