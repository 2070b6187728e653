/** What one run of `firnmqperf throughput` does. */
import type { BasicProperties, FieldTable } from '../../generated/index.ts';
import { EMPTY_TABLE } from '../../generated/index.ts';
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** All absent choices are explicit: 0 stands for "no limit" and "not used". */
export interface ThroughputOptions {
  readonly uri: AmqpUri;
  readonly producers: number;
  readonly consumers: number;
  /** Messages take turns with them. */
  readonly bodySizesBytes: readonly number[];
  readonly randomBodies: boolean;
  /** Stamps and verifies messages: bodies have at least 16 octets. */
  readonly verify: boolean;
  /** Stamps messages and measures how old they are at their consumer: bodies have at least 8 octets. */
  readonly measureLatency: boolean;
  /** Producers publish to them in turn, consumers are dealt out to them; one empty name: a queue for each consumer. */
  readonly queues: readonly string[];
  readonly queueArguments: FieldTable;
  readonly exchange: string;
  /** null: the name of the queue. */
  readonly routingKey: string | null;
  /** Publish with delivery mode 2. */
  readonly persistent: boolean;
  readonly properties: BasicProperties;
  /** Confirm mode with at most this many unconfirmed messages a producer; 0: no confirms. */
  readonly confirmWindow: number;
  /** Transaction mode with a commit after so many messages of a producer; 0: no transactions. */
  readonly publishTransaction: number;
  /** Ack after this many deliveries, all of them with one ack; 0: auto-ack. */
  readonly ackEvery: number;
  /** Transaction mode with a commit after so many deliveries to a consumer; 0: no transactions. */
  readonly ackTransaction: number;
  /** Unacked deliveries that a consumer may hold; 0: no limit. */
  readonly prefetchCount: number;
  /** Consume with basic.get. */
  readonly poll: boolean;
  readonly consumerArguments: FieldTable;
  /** Messages that each producer publishes a second; 0: as many as it can. */
  readonly publishRate: number;
  /** Messages that each consumer takes a second, at most; 0: as many as come. */
  readonly consumeRate: number;
  /** Messages published by all producers together; 0: no limit. */
  readonly publishCountMax: number;
  /** Messages consumed by all consumers together; 0: no limit. */
  readonly consumeCountMax: number;
  /** Length of the run; 0: until the counts are reached. */
  readonly durationMs: number;
  /** The first part of the run, whose latencies do not count: both sides are compiled, buffers grow. */
  readonly warmUpMs: number;
}

/** A run of 1:1 with 16-byte bodies into `perf-test`, without an end: the defaults of every option. */
export const THROUGHPUT_DEFAULTS: Omit<ThroughputOptions, 'uri'> = {
  producers: 1,
  consumers: 1,
  bodySizesBytes: [16],
  randomBodies: false,
  verify: false,
  measureLatency: false,
  queues: ['perf-test'],
  queueArguments: EMPTY_TABLE,
  exchange: '',
  routingKey: null,
  persistent: false,
  properties: {},
  confirmWindow: 0,
  publishTransaction: 0,
  ackEvery: 0,
  ackTransaction: 0,
  prefetchCount: 0,
  poll: false,
  consumerArguments: EMPTY_TABLE,
  publishRate: 0,
  consumeRate: 0,
  publishCountMax: 0,
  consumeCountMax: 0,
  durationMs: 0,
  warmUpMs: 0,
};
