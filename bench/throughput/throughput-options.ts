/** What one run of `firnmqperf throughput` does. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** All absent choices are explicit: 0 stands for "no limit" and "not used". */
export interface ThroughputOptions {
  readonly uri: AmqpUri;
  readonly producers: number;
  readonly consumers: number;
  readonly bodySizeBytes: number;
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** Publish with delivery mode 2. */
  readonly persistent: boolean;
  /** Confirm mode with at most this many unconfirmed messages a producer; 0: no confirms. */
  readonly confirmWindow: number;
  /** Ack after this many deliveries, all of them with one ack; 0: auto-ack. */
  readonly ackEvery: number;
  /** Unacked deliveries that a consumer may hold; 0: no limit. */
  readonly prefetchCount: number;
  /** Messages that each producer publishes a second; 0: as many as it can. */
  readonly publishRate: number;
  /** Messages published by all producers together; 0: no limit. */
  readonly publishCountMax: number;
  /** Messages consumed by all consumers together; 0: no limit. */
  readonly consumeCountMax: number;
  /** Length of the run; 0: until the counts are reached. */
  readonly durationMs: number;
}

/** A run of 1:1 with 16-byte bodies into `perf-test`, without an end: the defaults of every option. */
export const THROUGHPUT_DEFAULTS: Omit<ThroughputOptions, 'uri'> = {
  producers: 1,
  consumers: 1,
  bodySizeBytes: 16,
  queue: 'perf-test',
  exchange: '',
  routingKey: 'perf-test',
  persistent: false,
  confirmWindow: 0,
  ackEvery: 0,
  prefetchCount: 0,
  publishRate: 0,
  publishCountMax: 0,
  consumeCountMax: 0,
  durationMs: 0,
};
