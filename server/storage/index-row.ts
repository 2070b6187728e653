/**
 * @hot One row of a queue's index: up to 8,192 consecutive sequence numbers, and what is known of them.
 *
 *     entry          0 ......... settledPrefix ................ count
 *     settled      | all of them | as `settledBits` say, or none |
 *     positions    | in memory, or in slot `slot` of the queue's chunk file, or both |
 *
 * - Positions are never overwritten: what is settled is told by the prefix and the bits, so that an ack needs no
 *   position in memory.
 * - `segments` says how many unsettled messages lie in which segment, and their body bytes, as triplets: nearly always
 *   one or two. With it a purge looks at no position.
 * - The first `stored` entries are in the slot. `positions` is null only when all are.
 */
import type { ReturnCounts } from './return-counts.ts';

/** Entries of a full row. */
export const ROW_ENTRIES = 8192;

/** Numbers for each segment in {@link IndexRow.segments}: its number, unsettled messages, their body bytes. */
export const TRIPLET = 3;

/** Told when a row's positions have come; `error` says why they have not. */
export type RowListener = (error: Error | null) => void;

/** A run of consecutive sequence numbers. */
export class IndexRow {
  /** Sequence number of entry 0. */
  first: number;
  /** Entries in use. */
  count: number;
  /** Entries not settled. */
  live: number;
  /** Entries before it are settled. */
  settledPrefix: number;
  /** A bit for each settled entry behind the prefix; null: none of those is settled. */
  settledBits: Uint8Array | null;
  /** Position of each entry; null: on disk. */
  positions: Float64Array | null;
  /** Triplets: segment number, unsettled messages, their body bytes. */
  readonly segments: number[];
  /** How often messages came back; null: none has. */
  returns: ReturnCounts | null;
  /** The slot in the chunk file, or -1. */
  slot: number;
  /** The first checkpoint attempt that may name the slot (chunk-file.ts). */
  slotSince: number;
  /** Entries in the slot, and their checksum. */
  stored: number;
  crc: number;
  /** It has left the index. */
  isGone: boolean;
  /** Who waits for the positions to be read; null: no read is under way. */
  listeners: RowListener[] | null;
  /** How many keep the row over an await: it is not packed meanwhile (row-list.ts). */
  holders: number;

  constructor(first: number) {
    this.first = first;
    this.count = 0;
    this.live = 0;
    this.settledPrefix = 0;
    this.settledBits = null;
    this.positions = null;
    this.segments = [];
    this.returns = null;
    this.slot = -1;
    this.slotSince = 0;
    this.stored = 0;
    this.crc = 0;
    this.isGone = false;
    this.listeners = null;
    this.holders = 0;
  }

  /** HOT per delivery. Whether entry `entry`, which is in use, is not settled. */
  isUnsettled(entry: number): boolean {
    const bits = this.settledBits;
    return (
      entry >= this.settledPrefix &&
      (bits === null || (bits[entry >> 3]! & (1 << (entry & 7))) === 0)
    );
  }

  /** The first entry from `entry` on that is not settled; `count` when there is none. */
  nextUnsettled(entry: number): number {
    let at = Math.max(entry, this.settledPrefix);
    const bits = this.settledBits;
    if (bits === null) return Math.min(at, this.count);
    while (at < this.count) {
      if ((at & 7) === 0 && bits[at >> 3] === 0xff) at += 8;
      else if ((bits[at >> 3]! & (1 << (at & 7))) !== 0) at++;
      else return at;
    }
    return this.count;
  }

  /** The first entry from `entry` on and before `end` that is settled; `end` when there is none. */
  nextSettled(entry: number, end: number): number {
    if (entry < this.settledPrefix) return entry;
    const bits = this.settledBits;
    if (bits === null) return end;
    let at = entry;
    while (at < end) {
      if ((at & 7) === 0 && bits[at >> 3] === 0) at += 8;
      else if ((bits[at >> 3]! & (1 << (at & 7))) === 0) at++;
      else return at;
    }
    return end;
  }

  /** HOT per ack out of order. Marks an entry; false: it was settled already. `entries`: of a full row. */
  mark(entry: number, entries: number): boolean {
    if (entry >= this.count || entry < this.settledPrefix) return false;
    let bits = this.settledBits;
    if (entry === this.settledPrefix) {
      if (bits !== null && (bits[entry >> 3]! & (1 << (entry & 7))) !== 0) return false;
      this.settledPrefix++;
      if (bits !== null) this.settledPrefix = this.nextUnsettled(this.settledPrefix);
      return true;
    }
    if (bits === null) {
      bits = new Uint8Array(entries >> 3);
      this.settledBits = bits;
    }
    const mask = 1 << (entry & 7);
    const octet = bits[entry >> 3]!;
    if ((octet & mask) !== 0) return false;
    bits[entry >> 3] = octet | mask;
    return true;
  }

  /** Index in {@link segments} of the triplet of a segment, which is entered when it is new. */
  triplet(segment: number): number {
    const { segments } = this;
    // The last one first: positions mostly rise.
    for (let at = segments.length - TRIPLET; at >= 0; at -= TRIPLET) {
      if (segments[at] === segment) return at;
    }
    return segments.push(segment, 0, 0) - TRIPLET;
  }

  /** Body bytes of the unsettled messages. */
  get bytes(): number {
    const { segments } = this;
    let bytes = 0;
    for (let at = 0; at < segments.length; at += TRIPLET) bytes += segments[at + 2]!;
    return bytes;
  }

  /** Whether every segment with an unsettled message is among these. */
  liesIn(known: ReadonlyMap<number, unknown>): boolean {
    const { segments } = this;
    for (let at = 0; at < segments.length; at += TRIPLET) {
      if (segments[at + 1]! > 0 && !known.has(segments[at]!)) return false;
    }
    return true;
  }

  /** Unsettled messages in a segment. */
  countIn(segment: number): number {
    const { segments } = this;
    for (let at = 0; at < segments.length; at += TRIPLET) {
      if (segments[at] === segment) return segments[at + 1]!;
    }
    return 0;
  }
}
