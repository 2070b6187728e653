/**
 * What the scenarios ask of a client library on Node.js: one file per library implements
 * {@link InteropClient}.
 */

/** Properties of basic, named as most clients on Node.js do; the timestamp in seconds. */
export interface InteropProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly expiration?: string;
  readonly messageId?: string;
  readonly timestamp?: number;
  readonly type?: string;
  readonly userId?: string;
  readonly appId?: string;
}

/** A message for a client to publish. */
export interface InteropMessage {
  readonly body: Buffer;
  /** As the client's users write headers; values are those that the client can express. */
  readonly headers?: Record<string, unknown>;
  readonly properties?: InteropProperties;
}

/** A message as it came from the broker. */
export interface InteropDelivery {
  readonly body: Buffer;
  readonly headers: Record<string, unknown>;
  readonly properties: InteropProperties;
  readonly redelivered: boolean;
  ack(multiple?: boolean): void;
  /** A nack with requeue. */
  requeue(): void;
  /** A reject without requeue. */
  reject(): void;
}

/** A running consumer. */
export interface InteropConsumer {
  /** The next message; waits until there is one. */
  next(): Promise<InteropDelivery>;
  cancel(): Promise<void>;
  /** Resolves when the broker cancels the consumer. */
  readonly cancelled: Promise<void>;
}

export interface QueueOptions {
  /** Empty: the broker names it. */
  readonly queue: string;
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly passive?: boolean;
}

export interface QueueState {
  readonly queue: string;
  readonly messageCount: number;
}

/** A channel in transactional mode. */
export interface InteropTransaction {
  publish(queue: string, body: Buffer): void;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A consumer that its library restores after the connection was lost, with what it consumes from. */
export interface InteropSubscription {
  /** The next body; waits until there is one. */
  next(): Promise<string>;
  /** Resolves when the library has restored it. */
  restored(): Promise<void>;
  close(): Promise<void>;
}

/** One connection of a client library, with one channel in confirm mode. */
export interface InteropClient {
  /** Headers of every type that the library can write and read. */
  readonly richHeaders: Record<string, unknown>;
  /** Those of them that come back in another form than they are written in. */
  readonly readAs: Record<string, unknown>;
  declareQueue(options: QueueOptions): Promise<QueueState>;
  /** Declares on a channel of its own. @returns the reply code of the refusal */
  refusalOf(options: QueueOptions): Promise<number>;
  /** Declares a durable exchange. */
  declareExchange(exchange: string, type: string): Promise<void>;
  bindQueue(queue: string, exchange: string, key: string): Promise<void>;
  bindExchange(destination: string, source: string, key: string): Promise<void>;
  unbindExchange(destination: string, source: string, key: string): Promise<void>;
  deleteQueue(queue: string): Promise<void>;
  deleteExchange(exchange: string): Promise<void>;
  /** Publishes a persistent message and resolves once it is confirmed. */
  publish(exchange: string, key: string, message: InteropMessage): Promise<void>;
  /** Publishes mandatorily. @returns the reply code of the return */
  publishUnroutable(exchange: string, key: string, body: Buffer): Promise<number>;
  /** @param prefetch 0: consume without acks */
  consume(queue: string, prefetch: number): Promise<InteropConsumer>;
  get(queue: string): Promise<InteropDelivery | null>;
  recover(): Promise<void>;
  transaction(): Promise<InteropTransaction>;
  /** Resolves once the library has a channel again by itself; null: its users connect anew. */
  readonly reconnected: (() => Promise<void>) | null;
  close(): Promise<void>;
}

export interface SubscriptionNames {
  readonly exchange: string;
  readonly queue: string;
  readonly key: string;
}

export interface ConnectOptions {
  readonly heartbeatS?: number;
}

export type Connect = (url: string, options: ConnectOptions) => Promise<InteropClient>;

/**
 * Declares an exchange and a queue, binds them and consumes, all by the means of the library that survive a lost
 * connection.
 */
export type Subscribe = (url: string, names: SubscriptionNames) => Promise<InteropSubscription>;
