/** Random scripts: bursts of what clients do at the same time. */
import fc, { type Arbitrary } from 'fast-check';

/** Clients of a script: each has a connection and a channel. */
export const ACTOR_COUNT = 5;
/** The last of them work in transactions. */
export const TX_ACTOR_COUNT = 2;
/** Queues of a script; messages for all of them go through an exchange. */
export const QUEUE_COUNT = 3;

/** What an actor does. Numbers choose among what there is when its turn comes, modulo. */
export type Operation =
  /** Publishes some messages, to one queue or, as `queue` is the number of queues, to all. */
  | { readonly kind: 'publish'; readonly queue: number; readonly count: number }
  | {
      readonly kind: 'consume';
      readonly queue: number;
      readonly prefetch: number;
      readonly noAck: boolean;
    }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'get'; readonly queue: number; readonly noAck: boolean }
  | { readonly kind: 'ack'; readonly which: number; readonly multiple: boolean }
  | {
      readonly kind: 'nack';
      readonly which: number;
      readonly multiple: boolean;
      readonly requeue: boolean;
    }
  | { readonly kind: 'recover' }
  | { readonly kind: 'close-channel' }
  | { readonly kind: 'close-connection' }
  /** Ends a transaction; nothing for others. */
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' };

/** What may only happen while nobody else does anything. */
export type LonelyOperation =
  | { readonly kind: 'purge'; readonly queue: number }
  | { readonly kind: 'reset' };

/** An operation and who does it. */
export interface Step<O = Operation> {
  readonly actor: number;
  readonly operation: O;
}

/** Steps at the same time. One alone is held against the stricter rules. */
export type Burst = readonly Step<Operation | LonelyOperation>[];

export type Script = readonly Burst[];

const queues = fc.nat(QUEUE_COUNT - 1);
const places = fc.nat(1000);

const operations: Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      queue: fc.nat(QUEUE_COUNT),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('consume' as const),
      queue: queues,
      prefetch: fc.constantFrom(1, 2, 3, 5, 0),
      noAck: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: places }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('get' as const),
      queue: queues,
      noAck: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ack' as const),
      which: places,
      multiple: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('nack' as const),
      which: places,
      multiple: fc.constantFrom(false, false, true),
      requeue: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('recover' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close-channel' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close-connection' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
);

const lonely: Arbitrary<LonelyOperation> = fc.oneof(
  fc.record({ kind: fc.constant('purge' as const), queue: queues }),
  fc.record({ kind: fc.constant('reset' as const) }),
);

function steps<O>(of: Arbitrary<O>): Arbitrary<Step<O>> {
  return fc.record({ actor: fc.nat(ACTOR_COUNT - 1), operation: of });
}

const bursts: Arbitrary<Burst> = fc.oneof(
  { weight: 10, arbitrary: steps(operations).map((step) => [step]) },
  { weight: 8, arbitrary: fc.array(steps(operations), { minLength: 2, maxLength: 8 }) },
  { weight: 1, arbitrary: steps(lonely).map((step) => [step]) },
);

/** Scripts of up to some sixty bursts. */
export const scripts: Arbitrary<Script> = fc.array(bursts, { maxLength: 60, size: 'max' });
