/**
 * The transaction of one producer's channel: so many messages, then a tx.commit, and nothing more until the broker has
 * answered it.
 */
import type { LatencyHistogram } from './latency-histogram.ts';

/** Counts what is open and what is committed, and records how long each commit took. */
export class PublishTransaction {
  /** Messages committed. */
  committed: number;
  private readonly size: number;
  private readonly latencyUs: LatencyHistogram;
  /** Published since the last commit was answered. */
  private open: number;
  /** When the commit under way was due; -1: there is none. */
  private committingSinceUs: number;

  /** @param size messages to a commit */
  constructor(size: number, latencyUs: LatencyHistogram) {
    this.committed = 0;
    this.size = size;
    this.latencyUs = latencyUs;
    this.open = 0;
    this.committingSinceUs = -1;
  }

  /** How many messages may be published now: none while the broker commits. */
  get free(): number {
    return this.committingSinceUs >= 0 ? 0 : this.size - this.open;
  }

  /** Whether there is anything that is not committed. */
  get isOpen(): boolean {
    return this.open > 0;
  }

  /** Counts `count` messages, at most {@link free}; returns whether a commit is due behind them. */
  publish(count: number): boolean {
    this.open += count;
    return this.open === this.size;
  }

  /** A commit was sent. `sinceUs`: when the last message in it was due, or where there is no schedule now. */
  beginCommit(sinceUs: number): void {
    this.committingSinceUs = sinceUs;
  }

  /**
   * Takes a tx.commit-ok.
   *
   * @throws Error when there was no commit.
   */
  settle(nowUs: number): void {
    if (this.committingSinceUs < 0)
      throw new Error('the broker answers a commit that it was not asked for');
    this.latencyUs.record(nowUs - this.committingSinceUs, 1);
    this.committingSinceUs = -1;
    this.committed += this.open;
    this.open = 0;
  }
}
