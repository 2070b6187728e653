/**
 * Mends slots of chunk files that cannot be read as they were written: what they had is found again in the log
 * (row-rebuild.ts), written over the slot, or kept in memory until the row gets another one.
 *
 * What the log does not have any more (a message that came by reference, whose record went with its segment) is given up
 * where the slot says something else than was written. Where the disk only refused to read the slot, it may well read it
 * the next time: then everything stays, and whoever asked hears of the refusal.
 *
 * Damage seldom comes alone, so the rows around the one that was asked for are looked at as well, and one walk over the
 * log serves all that are damaged.
 */
import type { ChunkFiles } from './chunk-files.ts';
import type { IndexRow } from './index-row.ts';
import { isDiskFull } from './log-health.ts';
import { checksumOf } from './positions.ts';
import type { QueueIndex } from './queue-index.ts';
import { isFound, type LostRow, placeMissing, type RowFinder } from './row-rebuild.ts';
import { StorageError } from './storage-error.ts';

/** Damaged rows of a queue that are found again in one walk over the log. */
const REBUILT_ROWS_MAX = 64;

/** What mending needs of others: where to look, and whom to tell. */
export interface ChunkRescue extends RowFinder {
  /** Told what was damaged, and what became of it. */
  damaged(path: string, reason: string): void;
  /** The messages at some entries of a row, in memory by now, are in no batch. */
  lost(index: QueueIndex, row: IndexRow, entries: readonly number[]): void;
}

/** Who keeps the rows (chunk-store.ts), as far as mending needs it. */
export interface RowKeeper {
  readonly files: ChunkFiles;
  /** The disk has no room for a chunk file. */
  spaceRefused: () => void;
  /** An array for a full row. */
  takeArray(): Float64Array;
  /** It is not needed any more. */
  giveBack(positions: Float64Array): void;
  /** Takes a row out of memory where its slot has all of it, or can get it. */
  spill(index: QueueIndex, row: IndexRow): void;
  /** Somebody has held a row over an await, and does no longer. */
  release(index: QueueIndex, row: IndexRow): void;
}

/** A row whose slot cannot be read. */
interface DamagedRow extends LostRow {
  /** What the disk said; null where it read something that was not written. */
  readonly refusal: StorageError | null;
}

/** Mends the slots of a vhost. */
export class SlotMender {
  private readonly keeper: RowKeeper;
  /** The rebuild under way, or the last one; never rejects. */
  private rebuilding: Promise<void>;

  constructor(keeper: RowKeeper) {
    this.keeper = keeper;
    this.rebuilding = Promise.resolve();
  }

  /**
   * Mends the slot of a row that is needed, between turns; it is in memory then, unless it has gone.
   *
   * @throws StorageError when the log cannot be read, or has not all of what the disk refuses to read
   */
  mend(index: QueueIndex, row: IndexRow, rescue: ChunkRescue): Promise<void> {
    // One at a time: what one finds may be what the next would look for.
    const result = this.rebuilding.then(() => this.rebuildFrom(index, row, rescue));
    this.rebuilding = result.catch(() => {});
    return result;
  }

  /** The same, waiting, for this row alone: for recovery. */
  mendNow(index: QueueIndex, row: IndexRow, rescue: ChunkRescue): void {
    const lost = { row, positions: this.keeper.takeArray().fill(0) };
    rescue.findNow(index.number, [lost]);
    // Nothing is written now: the row gets another slot with the next checkpoint.
    this.keeper.files.freeSlot(index, row);
    this.install(index, [lost], rescue);
  }

  private async rebuildFrom(
    index: QueueIndex,
    asked: IndexRow,
    rescue: ChunkRescue,
  ): Promise<void> {
    const lost: DamagedRow[] = [];
    try {
      await this.findDamaged(index, asked, lost);
      if (lost.length > 0) await this.rebuildRows(index, asked, lost, rescue);
    } finally {
      for (const { row } of lost) this.keeper.release(index, row);
    }
  }

  /** Enters the rows that cannot be read, from the cursor's or the one `asked` for on, into `lost`, and holds them. */
  private async findDamaged(index: QueueIndex, asked: IndexRow, lost: DamagedRow[]): Promise<void> {
    for (let at = firstToRebuild(index, asked); lost.length < REBUILT_ROWS_MAX; at++) {
      const row = asked.isGone ? undefined : index.rows.at(at);
      if (row === undefined) break;
      row.holders++;
      let damaged: DamagedRow | null = null;
      try {
        damaged = await this.probe(index, row, row === asked);
        if (damaged !== null) lost.push(damaged);
        at = index.indexOf(row);
      } finally {
        if (damaged === null) this.keeper.release(index, row);
      }
    }
  }

  private async rebuildRows(
    index: QueueIndex,
    asked: IndexRow,
    damaged: readonly DamagedRow[],
    rescue: ChunkRescue,
  ): Promise<void> {
    try {
      await rescue.find(index.number, damaged);
    } catch (error) {
      for (const { positions } of damaged) this.keeper.giveBack(positions);
      throw error;
    }
    const lost = damaged.filter((each) => each.refusal === null || isFound(each));
    const kept = damaged.filter((each) => !lost.includes(each));
    for (const { positions } of kept) this.keeper.giveBack(positions);
    for (const { row, positions } of lost) this.mendSlot(index, row, positions);
    if (lost.length > 0) this.install(index, lost, rescue);
    for (const { row } of lost) {
      if (row !== asked && !row.isGone && row.positions !== null) this.keeper.spill(index, row);
    }
    const refused = kept.find(({ row }) => row === asked && !row.isGone && row.positions === null);
    if (refused?.refusal) throw refused.refusal;
  }

  /** Whether a row cannot be read: then why, and an array for what is to be found. One that is `asked` for is kept when it can. */
  private async probe(
    index: QueueIndex,
    row: IndexRow,
    isAsked: boolean,
  ): Promise<DamagedRow | null> {
    if (row.positions !== null || row.live === 0) return null;
    const positions = this.keeper.takeArray();
    try {
      await this.keeper.files.of(index).read(row, positions);
      if (isAsked && !row.isGone && row.positions === null) row.positions = positions;
      else this.keeper.giveBack(positions);
      return null;
    } catch (error) {
      if (isMendable(error)) {
        const refusal = error.errno === 'EIO' ? error : null;
        return { row, positions: positions.fill(0), refusal };
      }
      this.keeper.giveBack(positions);
      throw error;
    }
  }

  /** Writes over a damaged slot what it had; where not all of that was found, the row gets another one. */
  private mendSlot(index: QueueIndex, row: IndexRow, positions: Float64Array): void {
    if (row.isGone || row.positions !== null || row.slot < 0) return;
    if (checksumOf(positions, row.stored) === row.crc) {
      try {
        this.keeper.files.of(index).rewrite(row, positions);
        return;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        if (isDiskFull(error)) this.keeper.spaceRefused();
      }
    }
    this.keeper.files.freeSlot(index, row);
  }

  /** What was found is in memory from now on, and what was not is no longer in the queue. */
  private install(index: QueueIndex, lost: readonly LostRow[], rescue: ChunkRescue): void {
    let missing = 0;
    let mended = 0;
    for (const each of lost) {
      const { row, positions } = each;
      if (row.isGone || row.positions !== null) {
        this.keeper.giveBack(positions);
        continue;
      }
      mended++;
      row.positions = positions;
      const entries = placeMissing(each);
      missing += entries.length;
      if (row.slot < 0) slotsChanged(index);
      if (entries.length > 0) rescue.lost(index, row, entries);
    }
    const left = missing === 0 ? '' : `; ${missing} messages were in no batch, and are dropped`;
    rescue.damaged(
      this.keeper.files.of(index).path,
      `${mended} rows of positions were damaged: they were found again in the log${left}`,
    );
  }
}

/** Whether a slot that could not be read for this reason is to be found again: not where the process lacks something. */
export function isMendable(error: unknown): error is StorageError {
  return error instanceof StorageError && ['', 'ENOENT', 'EIO'].includes(error.errno);
}

/** A row is often read before the one at which the queue stands. */
function firstToRebuild(index: QueueIndex, asked: IndexRow): number {
  const at = index.indexOf(asked);
  const cursor = index.cursorRow === null ? at : index.indexOf(index.cursorRow);
  return cursor < at && at - cursor < REBUILT_ROWS_MAX ? cursor : at;
}

/** The next checkpoint is to name the slots anew, though the queue itself has not changed. */
function slotsChanged(index: QueueIndex): void {
  if (index.checkpointed !== null) {
    index.checkpointed = { ...index.checkpointed, unsettledCount: -1 };
  }
}
