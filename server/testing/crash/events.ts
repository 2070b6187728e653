/**
 * What clients ask of a broker and hear from it, as plain data: the whole truth that the model works from.
 *
 * Asking is one event and the answer another, so any beginning of a list of events is what clients know at that
 * moment. Messages and questions are named by numbers of the test's own.
 */

/** A change of what exists, or of a queue as a whole. */
export type Change =
  | { readonly kind: 'declare-queue'; readonly name: string; readonly durable: boolean }
  | { readonly kind: 'delete-queue'; readonly name: string }
  | { readonly kind: 'purge'; readonly name: string }
  | { readonly kind: 'declare-exchange'; readonly name: string; readonly type: ExchangeType }
  | { readonly kind: 'delete-exchange'; readonly name: string }
  | {
      readonly kind: 'bind';
      readonly exchange: string;
      readonly queue: string;
      readonly key: string;
    }
  | {
      readonly kind: 'unbind';
      readonly exchange: string;
      readonly queue: string;
      readonly key: string;
    };

export type ExchangeType = 'fanout' | 'direct';

/** One message in one queue. The n-th queue of a name has the key `name#n`. */
export interface CopyName {
  readonly queueKey: string;
  readonly id: number;
}

/** Somebody who takes messages from a queue. */
export interface Source {
  readonly queueKey: string;
  readonly noAck: boolean;
  /** A get takes one message at most. */
  readonly isGet: boolean;
}

/** What happens between clients and the broker. */
export type CrashEvent =
  | {
      readonly type: 'publish';
      readonly id: number;
      readonly publisher: string;
      readonly exchange: string;
      readonly key: string;
      readonly size: number;
      /** Number of the transaction; null: none. */
      readonly tx: number | null;
    }
  /** The broker does not read its publisher: the message comes into effect between now and its confirm. */
  | { readonly type: 'unread'; readonly id: number }
  | { readonly type: 'confirm'; readonly ids: readonly number[] }
  | { readonly type: 'ask'; readonly question: number; readonly change: Change }
  | { readonly type: 'commit'; readonly question: number; readonly tx: number }
  | { readonly type: 'rollback'; readonly tx: number }
  /** The connection ended before the commit was answered, and perhaps before the broker had read it. */
  | { readonly type: 'commit-lost'; readonly tx: number }
  /**
   * The broker itself enters a message that it has into other queues, at their ends, and takes it out of the one
   * that `source` names; all of it counts as a transaction, whose commit is asked for.
   */
  | {
      readonly type: 'refer';
      readonly question: number;
      readonly tx: number;
      readonly id: number;
      readonly queueKeys: readonly string[];
      /** Null: it stays where it is. */
      readonly source: CopyName | null;
    }
  | { readonly type: 'answer'; readonly question: number }
  | {
      readonly type: 'deliver';
      readonly copy: CopyName;
      readonly redelivered: boolean;
      /** Without acks it is gone by being delivered. */
      readonly noAck: boolean;
    }
  /** A get is asked, or a consumer begins; it ends with the answer or its cancel. */
  | ({ readonly type: 'source' } & Source)
  | ({ readonly type: 'source-end' } & Source)
  /** It ends with its connection: what was on the way to it was delivered to nobody. */
  | ({ readonly type: 'source-lost' } & Source)
  /** Acked, or rejected for good. */
  | { readonly type: 'settle'; readonly copies: readonly CopyName[]; readonly tx: number | null }
  /** Put back by the client, or by the end of its channel. */
  | { readonly type: 'requeue'; readonly copies: readonly CopyName[] }
  /** The broker had a turn after all that was asked before. */
  | { readonly type: 'turn' }
  /** The broker has stopped in order. */
  | { readonly type: 'stopped' };

/** What a broker holds, as clients find it after a crash. */
export interface Observation {
  /** Queues that exist, by name. */
  readonly queues: ReadonlyMap<string, ObservedQueue>;
  readonly exchanges: ReadonlySet<string>;
  /** Queues that a message to `exchange` with `key` comes to, by {@link routeKey}. */
  readonly routes: ReadonlyMap<string, ReadonlySet<string>>;
  /** What cannot be right whatever happened before. */
  readonly troubles: readonly string[];
}

/** A queue as it was found. */
export interface ObservedQueue {
  /** What the broker says of it. */
  readonly messageCount: number;
  /** What came out of it, in order. */
  readonly messages: readonly ObservedMessage[];
}

/** A message as it came out. */
export interface ObservedMessage {
  readonly id: number;
  readonly size: number;
  readonly redelivered: boolean;
}

/** Names a way into an exchange. */
export function routeKey(exchange: string, key: string): string {
  return `${exchange}/${key}`;
}
