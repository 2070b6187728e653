/**
 * Latencies in microseconds, to three digits, in histograms of a fixed size (HDR), and their summary.
 *
 * What has come since the last look is kept apart, so that the live line can tell of the last second alone; a look adds
 * it to the sum.
 */
import { build, type Histogram } from 'hdr-histogram-js';

const HIGHEST_US = 3_600_000_000;

/** Percentiles in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly minMs: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly p9999Ms: number;
  readonly maxMs: number;
}

/** Takes latencies of 1 us to an hour; what is beyond counts as the nearer of the two. */
export class LatencyHistogram {
  private readonly total: Histogram;
  private readonly latest: Histogram;

  constructor() {
    this.total = createHistogram();
    this.latest = createHistogram();
  }

  /** How many latencies it has. */
  get count(): number {
    return this.total.totalCount + this.latest.totalCount;
  }

  /** HOT per message or, where many share a latency, once for all of them: an entry costs 50 ns. */
  record(latencyUs: number, count: number): void {
    const value = Math.min(HIGHEST_US, Math.max(1, Math.round(latencyUs)));
    this.latest.recordValueWithCount(value, count);
  }

  /** Forgets what has come. */
  clear(): void {
    this.total.reset();
    this.latest.reset();
  }

  /** The 99th percentile of what has come since the last call, in milliseconds; null: nothing has. */
  takeLatestP99Ms(): number | null {
    if (this.latest.totalCount === 0) return null;
    const p99Us = this.latest.getValueAtPercentile(99);
    this.addLatest();
    return p99Us / 1000;
  }

  /** All that has come; null: nothing has. */
  summary(): LatencySummary | null {
    this.addLatest();
    const { total } = this;
    if (total.totalCount === 0) return null;
    // A percentile is the upper end of its bucket, which may lie above the greatest value.
    const ms = (percentile: number): number =>
      Math.min(total.getValueAtPercentile(percentile), total.maxValue) / 1000;
    return {
      count: total.totalCount,
      minMs: total.minNonZeroValue / 1000,
      meanMs: total.mean / 1000,
      p50Ms: ms(50),
      p75Ms: ms(75),
      p90Ms: ms(90),
      p95Ms: ms(95),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
      p9999Ms: ms(99.99),
      maxMs: total.maxValue / 1000,
    };
  }

  private addLatest(): void {
    if (this.latest.totalCount === 0) return;
    this.total.add(this.latest);
    this.latest.reset();
  }
}

function createHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
  });
}
