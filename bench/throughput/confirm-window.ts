/**
 * @hot The messages of one channel that the broker has not yet confirmed, and how long each waited.
 *
 * Publishes are numbered from 1 (confirm.select starts the count). A ring keeps, by number, when each
 * unconfirmed message was due, or where there is no schedule handed to the socket; `firstOutstanding` is the
 * lowest number not settled.
 *
 * Invariants: at most `capacity` are outstanding; a number is settled once, whatever the order in which
 * confirms arrive and whether they are `multiple`; latency is in microseconds and contains the time
 * that the message waited for the window and in the socket's buffers.
 */
import type { LatencyHistogram } from './latency-histogram.ts';

/** Counts what is outstanding and records into a histogram how long each message was. */
export class ConfirmWindow {
  readonly capacity: number;
  confirmed: number;
  /** Settled by basic.nack: the broker did not take them. */
  nacked: number;
  outstanding: number;
  private firstOutstanding: number;
  private nextTag: number;
  private readonly mask: number;
  private readonly sinceUs: Float64Array;
  /** 1 where a number above `firstOutstanding` was settled ahead of its turn. */
  private readonly settledAhead: Uint8Array;
  private readonly latencyUs: LatencyHistogram;

  constructor(capacity: number, latencyUs: LatencyHistogram) {
    const slots = 2 ** Math.ceil(Math.log2(capacity));
    this.capacity = capacity;
    this.confirmed = 0;
    this.nacked = 0;
    this.outstanding = 0;
    this.firstOutstanding = 1;
    this.nextTag = 1;
    this.mask = slots - 1;
    this.sinceUs = new Float64Array(slots);
    this.settledAhead = new Uint8Array(slots);
    this.latencyUs = latencyUs;
  }

  /**
   * How many more messages may be published now. The numbers in flight span at most `capacity`, so that
   * a single confirm that the broker holds back stops the publisher in the end, as the ring requires.
   */
  get free(): number {
    return this.capacity - (this.nextTag - this.firstOutstanding);
  }

  /**
   * Counts `count` messages, at most {@link free}, of which the first was due at `sinceUs` and each further one
   * `intervalUs` later.
   */
  publish(count: number, sinceUs: number, intervalUs = 0): void {
    for (let i = 0; i < count; i++) {
      this.sinceUs[(this.nextTag + i) & this.mask] = sinceUs + i * intervalUs;
    }
    this.nextTag += count;
    this.outstanding += count;
  }

  /**
   * Takes a basic.ack (`isNack` false) or basic.nack for `tag`, or with `multiple` for all up to it.
   * HOT per confirm; messages of one write share one entry in the histogram, since an entry costs 50 ns.
   *
   * @throws Error when the tag was never published.
   */
  settle(tag: number, multiple: boolean, isNack: boolean, nowUs: number): void {
    if (tag >= this.nextTag) throw new Error(`confirm of ${tag}, which was never published`);
    const settled = multiple ? this.settleUpTo(tag, nowUs) : this.settleOne(tag, nowUs);
    this.outstanding -= settled;
    if (isNack) this.nacked += settled;
    else this.confirmed += settled;
  }

  private settleUpTo(tag: number, nowUs: number): number {
    let settled = 0;
    let runSinceUs = -1;
    let runCount = 0;
    for (let next = this.firstOutstanding; next <= tag; next++) {
      const slot = next & this.mask;
      if (this.settledAhead[slot] === 1) {
        this.settledAhead[slot] = 0;
        continue;
      }
      const sinceUs = this.sinceUs[slot]!;
      if (sinceUs !== runSinceUs) {
        this.record(nowUs - runSinceUs, runCount);
        runSinceUs = sinceUs;
        runCount = 0;
      }
      runCount++;
      settled++;
    }
    this.record(nowUs - runSinceUs, runCount);
    if (tag >= this.firstOutstanding) this.firstOutstanding = tag + 1;
    this.skipSettledAhead();
    return settled;
  }

  private settleOne(tag: number, nowUs: number): number {
    const slot = tag & this.mask;
    if (tag < this.firstOutstanding || this.settledAhead[slot] === 1) return 0;
    this.record(nowUs - this.sinceUs[slot]!, 1);
    this.settledAhead[slot] = 1;
    this.skipSettledAhead();
    return 1;
  }

  private skipSettledAhead(): void {
    while (this.settledAhead[this.firstOutstanding & this.mask] === 1) {
      this.settledAhead[this.firstOutstanding & this.mask] = 0;
      this.firstOutstanding++;
    }
  }

  private record(latencyUs: number, count: number): void {
    if (count > 0) this.latencyUs.record(latencyUs, count);
  }
}
