/** The rows of the comparison: for each, what the generator does and which figure counts. */
import type { ThroughputResult } from '../throughput/throughput.ts';

/** One row that the generator measures. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** Flags of `firnmqperf throughput`, without broker, queue and length. */
  readonly flags: readonly string[];
  /**
   * The row whose messages this one consumes: it runs on that one's queue, right after it, and until all
   * are consumed. null: it runs for a time, on an empty queue.
   */
  readonly drains: string | null;
  /** Messages a second. */
  readonly rate: (result: ThroughputResult) => number;
}

/** In the order in which they run. */
export const ROWS: readonly Row[] = [
  {
    id: 'publish',
    title: 'publish only, 16 B',
    flags: ['-x', '1', '-y', '0', '-s', '16'],
    drains: null,
    rate: (result) => result.publishRate,
  },
  {
    id: 'consume',
    title: 'consume only, 16 B, auto-ack',
    flags: ['-x', '0', '-y', '1'],
    drains: 'publish',
    rate: (result) => result.consumeRate,
  },
  {
    id: 'one-to-one',
    title: '1 producer to 1 consumer, 16 B, auto-ack, out',
    flags: ['-x', '1', '-y', '1', '-s', '16'],
    drains: null,
    rate: (result) => result.consumeRate,
  },
  {
    id: 'confirm',
    title: 'confirms, 16 B persistent, durable queue, window 1,000',
    flags: ['-x', '1', '-y', '0', '-s', '16', '-p', '-c', '1000'],
    drains: null,
    rate: (result) => result.publishRate,
  },
];
