/**
 * The rows of one queue's index, ascending: those in use as objects, the others packed into numbers (packed-rows.ts).
 *
 * {@link RowList.at} makes an object of a packed row, which stays one until {@link RowList.pack}; {@link RowList.view}
 * only lends one. Who keeps a row over an await counts as its holder, and it is not packed meanwhile.
 */
import { IndexRow } from './index-row.ts';
import { PackedRows } from './packed-rows.ts';

/** Rows, ascending by sequence number. */
export class RowList {
  /** Rows, and handles of packed ones. */
  private readonly items: (IndexRow | number)[];
  /** Null until a row is packed. */
  private packed: PackedRows | null;
  /** What a packed row is lent in. */
  private lent: IndexRow | null;

  constructor() {
    this.items = [];
    this.packed = null;
    this.lent = null;
  }

  get length(): number {
    return this.items.length;
  }

  /** Bytes of packed rows. */
  get packedBytes(): number {
    return this.packed?.byteLength ?? 0;
  }

  /** The row at an index, an object from now on; undefined where there is none. */
  at(at: number): IndexRow | undefined {
    const item = this.items[at];
    if (typeof item !== 'number') return item;
    const row = new IndexRow(0);
    this.packed!.read(item, row);
    this.packed!.remove(item);
    this.items[at] = row;
    return row;
  }

  /**
   * The row at an index to look at: borrowed until the next view of this list, since a packed one is lent. What is
   * written to it may be lost. Undefined where there is none.
   */
  view(at: number): IndexRow | undefined {
    const item = this.items[at];
    if (typeof item !== 'number') return item;
    this.lent ??= new IndexRow(0);
    this.packed!.read(item, this.lent);
    return this.lent;
  }

  /** A {@link view} of each row in turn. */
  *views(): Generator<IndexRow, void> {
    for (let at = 0; at < this.items.length; at++) yield this.view(at)!;
  }

  /** The row at an index where it has positions in memory; null where it has not. */
  loaded(at: number): IndexRow | null {
    const item = this.items[at];
    return typeof item === 'object' && item.positions !== null ? item : null;
  }

  /** The first sequence number of the row at an index. HOT per ack out of order. */
  first(at: number): number {
    const item = this.items[at]!;
    return typeof item === 'number' ? this.packed!.first(item) : item.first;
  }

  push(row: IndexRow): void {
    this.items.push(row);
  }

  /** Packs the row at an index where that is possible and nobody holds it; the object is not of the list any more. */
  pack(at: number): boolean {
    const row = this.items[at];
    if (typeof row !== 'object' || row.holders > 0 || row.listeners !== null) return false;
    this.packed ??= new PackedRows();
    if (!this.packed.canTake(row)) return false;
    this.items[at] = this.packed.add(row);
    return true;
  }

  /** Takes the row at an index out. */
  remove(at: number): void {
    const item = this.items[at];
    if (typeof item === 'number') this.packed!.remove(item);
    this.items.splice(at, 1);
  }

  /** Keeps the first `length` rows. */
  truncate(length: number): void {
    for (let at = length; at < this.items.length; at++) {
      const item = this.items[at];
      if (typeof item === 'number') this.packed!.remove(item);
    }
    this.items.length = length;
  }
}
