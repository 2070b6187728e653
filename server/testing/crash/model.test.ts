import t from 'tap';
import type { CrashEvent, Observation, ObservedMessage } from './events.ts';
import { Model } from './model.ts';
import { checkObservation, nextModel } from './model-check.ts';

const Q = 'q#1';
const MADE: readonly CrashEvent[] = [
  { type: 'ask', question: 1, change: { kind: 'declare-queue', name: 'q', durable: true } },
  { type: 'answer', question: 1 },
];
const TURN: CrashEvent = { type: 'turn' };

function publish(
  id: number,
  more: { exchange?: string; key?: string; tx?: number; size?: number } = {},
): CrashEvent {
  const { exchange = '', key = 'q', tx = null, size = 10 } = more;
  return { type: 'publish', id, publisher: 'p', exchange, key, size, tx };
}

function confirm(...ids: readonly number[]): CrashEvent {
  return { type: 'confirm', ids };
}

function deliver(id: number, redelivered: boolean = false): CrashEvent {
  return { type: 'deliver', copy: { queueKey: Q, id }, redelivered, noAck: false };
}

function settle(id: number, tx: number | null = null): CrashEvent {
  return { type: 'settle', copies: [{ queueKey: Q, id }], tx };
}

function modelOf(events: readonly CrashEvent[]): Model {
  const model = new Model();
  for (const event of events) model.apply(event);
  return model;
}

/** What is found: the messages of queue `q`, or no such queue; `7r` is message 7, redelivered. */
function found(messages: readonly string[] | null, more: Partial<Observation> = {}): Observation {
  const observed = (messages ?? []).map(
    (text): ObservedMessage => ({
      id: Number.parseInt(text, 10),
      size: 10,
      redelivered: text.endsWith('r'),
    }),
  );
  const queue = { messageCount: observed.length, messages: observed };
  return {
    queues: new Map(messages === null ? [] : [['q', queue]]),
    exchanges: new Set(),
    routes: new Map(),
    troubles: [],
    ...more,
  };
}

/** What the model says of each thing that may be found. */
function verdicts(
  events: readonly CrashEvent[],
  ...finds: readonly (readonly string[] | null)[]
): string[] {
  return finds.map((messages) => checkObservation(modelOf(events), found(messages)).join('; '));
}

t.test('a queue must be there once it was declared, and may be before', async (t) => {
  t.same(verdicts(MADE, [], null), ['', 'queue q#1 was declared and is gone']);
  t.same(verdicts(MADE.slice(0, 1), [], null), ['', '']);
  t.same(verdicts([], []), ['queue q is there, and must not be']);
});

t.test('a queue must be gone once its delete was answered, and its messages with it', async (t) => {
  const change = { kind: 'delete-queue', name: 'q' } as const;
  const asked: CrashEvent[] = [
    ...MADE,
    publish(1),
    confirm(1),
    { type: 'ask', question: 2, change },
  ];
  t.same(verdicts(asked, ['1'], [], null), ['', 'message 1 of q#1 was confirmed and is lost', '']);
  const answered: CrashEvent[] = [...asked, { type: 'answer', question: 2 }];
  t.same(verdicts(answered, null, []), ['', 'queue q is there, and must not be']);
  const again: CrashEvent[] = [
    ...answered,
    { type: 'ask', question: 3, change: { kind: 'declare-queue', name: 'q', durable: true } },
  ];
  t.same(verdicts(again, [], null, ['1']), ['', '', 'message 1 of q#2 was never sent there']);
});

t.test('a confirmed message must be there, another one may', async (t) => {
  const events = [...MADE, publish(1), publish(2), confirm(1)];
  t.same(verdicts(events, ['1'], ['1', '2'], ['2'], ['1', '3']), [
    '',
    '',
    'message 1 of q#1 was confirmed and is lost',
    'message 3 of q#1 was never sent there',
  ]);
});

t.test('messages come in the order of their publisher, once each', async (t) => {
  const events = [...MADE, publish(1), publish(2), confirm(1, 2)];
  t.same(verdicts(events, ['2', '1'], ['1', '2', '2']), [
    'message 1 of q#1 is out of order',
    'message 2 of q#1 is there twice',
  ]);
});

t.test('a count that differs from what is there is wrong', async (t) => {
  const queues = new Map([['q', { messageCount: 2, messages: [] }]]);
  t.same(checkObservation(modelOf(MADE), found([], { queues })), [
    'queue q#1 counts 2 messages and holds 0',
  ]);
});

t.test('what was delivered comes back as redelivered', async (t) => {
  const events = [...MADE, publish(1), confirm(1), deliver(1)];
  t.same(verdicts(events, ['1r'], ['1'], []), [
    '',
    'message 1 of q#1 is not redelivered',
    'message 1 of q#1 was confirmed and is lost',
  ]);
  t.throws(() => modelOf([...events, deliver(1)]), /while it is with a consumer/);
  const back: CrashEvent = { type: 'requeue', copies: [{ queueKey: Q, id: 1 }] };
  t.throws(() => modelOf([...events, back, deliver(1)]), /not as redelivered/);
  t.throws(() => modelOf([...MADE, publish(1), deliver(1, true)]), /redelivered the first time/);
});

t.test('an ack counts once something durable is answered that came in a later turn', async (t) => {
  const acked = [...MADE, publish(1), confirm(1), deliver(1), settle(1)];
  t.same(verdicts(acked, ['1r'], []), ['', '']);
  const sameTurn = [...acked, publish(2), confirm(2)];
  t.same(verdicts(sameTurn, ['1r', '2'], ['2']), ['', '']);
  const later = [...acked, TURN, publish(2), confirm(2)];
  t.same(verdicts(later, ['1r', '2'], ['2']), [
    'message 1 of q#1 was acked for good and is back',
    '',
  ]);
});

t.test(
  'after a stop in order acks count, and only what was delivered is redelivered',
  async (t) => {
    const stopped: CrashEvent = { type: 'stopped' };
    const events = [...MADE, publish(1), publish(2), confirm(1, 2), deliver(1), settle(1), stopped];
    t.same(verdicts(events, ['2'], ['1r', '2'], ['2r']), [
      '',
      'message 1 of q#1 was acked before the stop and is back',
      'message 2 of q#1 is redelivered, never delivered',
    ]);
  },
);

t.test('a purge takes what is ready, for good when it is answered', async (t) => {
  const change = { kind: 'purge', name: 'q' } as const;
  const asked: CrashEvent[] = [
    ...MADE,
    publish(1),
    publish(2),
    confirm(1, 2),
    deliver(1),
    { type: 'ask', question: 2, change },
    publish(3),
    confirm(3),
  ];
  t.same(verdicts(asked, ['1r', '3'], ['1r', '2', '3'], ['3']), [
    '',
    '',
    'message 1 of q#1 was confirmed and is lost',
  ]);
  const answered: CrashEvent[] = [...asked, { type: 'answer', question: 2 }];
  t.same(verdicts(answered, ['1r', '3'], ['1r', '2', '3'], ['1r']), [
    '',
    'message 2 of q#1 was purged and is back',
    'message 3 of q#1 was confirmed and is lost',
  ]);
});

t.test('a large message may be on its way to a consumer when its queue is purged', async (t) => {
  const source = { queueKey: Q, noAck: false, isGet: false } as const;
  const purge = { kind: 'purge', name: 'q' } as const;
  const purged: CrashEvent[] = [
    publish(1, { size: 2_000_000 }),
    publish(2),
    confirm(1, 2),
    { type: 'ask', question: 2, change: purge },
    { type: 'answer', question: 2 },
  ];
  const consumed: CrashEvent[] = [...MADE, { type: 'source', ...source }, ...purged];
  t.doesNotThrow(() => modelOf([...consumed, deliver(1)]));
  t.throws(() => modelOf([...consumed, deliver(2)]), /delivered though it was purged/);
  t.throws(() => modelOf([...MADE, ...purged, deliver(1)]), /delivered though it was purged/);
});

t.test(
  'a purge leaves what gets under way have taken, whatever came back behind them',
  async (t) => {
    const get = { queueKey: Q, noAck: false, isGet: true } as const;
    const events: CrashEvent[] = [
      ...MADE,
      publish(1),
      publish(2),
      publish(3),
      confirm(1, 2, 3),
      deliver(1),
      { type: 'source', ...get },
      { type: 'requeue', copies: [{ queueKey: Q, id: 1 }] },
      { type: 'ask', question: 2, change: { kind: 'purge', name: 'q' } },
      { type: 'answer', question: 2 },
    ];
    t.doesNotThrow(() => modelOf([...events, deliver(2)]));
    t.throws(() => modelOf([...events, deliver(3)]), /delivered though it was purged/);
  },
);

t.test(
  'a purge takes nothing of a transaction that is not committed, and no get is on its way with that',
  async (t) => {
    const get = { queueKey: Q, noAck: false, isGet: true } as const;
    const begun: CrashEvent[] = [
      ...MADE,
      publish(1, { tx: 9 }),
      publish(2),
      publish(3),
      confirm(2, 3),
    ];
    const purged: CrashEvent[] = [
      { type: 'ask', question: 3, change: { kind: 'purge', name: 'q' } },
      { type: 'answer', question: 3 },
    ];
    const undone: CrashEvent[] = [
      ...begun,
      { type: 'rollback', tx: 9 },
      { type: 'source', ...get },
    ];
    t.doesNotThrow(() => modelOf([...undone, ...purged, deliver(2)]));
    t.throws(() => modelOf([...undone, ...purged, deliver(3)]), /delivered though it was purged/);
    const asked: CrashEvent[] = [...begun, { type: 'commit', question: 2, tx: 9 }];
    const answer: CrashEvent = { type: 'answer', question: 2 };
    t.doesNotThrow(() => modelOf([...asked, ...purged, answer, deliver(1)]));
    t.throws(
      () => modelOf([...asked, answer, ...purged, deliver(1)]),
      /delivered though it was purged/,
    );
  },
);

t.test('a get whose connection ended may have put back what came after that', async (t) => {
  const get = { queueKey: Q, noAck: false, isGet: true } as const;
  const events: CrashEvent[] = [...MADE, { type: 'source', ...get }];
  const late: CrashEvent[] = [publish(1), deliver(1, true)];
  t.throws(() => modelOf([...events, ...late]), /redelivered the first time/);
  events.push({ type: 'source-lost', ...get }, ...late);
  t.doesNotThrow(() => modelOf(events));
  t.throws(() => modelOf([...events, publish(2), deliver(2, true)]), /redelivered the first time/);
});

t.test('what is on its way to somebody who does not ack may be gone', async (t) => {
  const source = { queueKey: Q, noAck: true, isGet: true } as const;
  const events: CrashEvent[] = [...MADE, publish(1), confirm(1), { type: 'source', ...source }];
  t.same(verdicts(events, ['1'], []), ['', '']);
  t.same(verdicts([...events, { type: 'source-end', ...source }], []), [
    'message 1 of q#1 was confirmed and is lost',
  ]);
  t.same(verdicts([...events, { type: 'source-lost', ...source }], []), ['']);
});

t.test('a transaction happens whole or not at all', async (t) => {
  const open = [...MADE, publish(1), confirm(1), deliver(1), publish(2, { tx: 9 }), settle(1, 9)];
  t.same(verdicts(open, ['1r'], [], ['1r', '2']), [
    '',
    'message 1 of q#1 was confirmed and is lost',
    'message 2 of q#1 was not committed and is back',
  ]);
  const asked: CrashEvent[] = [...open, { type: 'commit', question: 2, tx: 9 }];
  const inPart = 'transaction 9 has happened in part';
  t.same(verdicts(asked, ['1r'], ['2'], ['1r', '2'], []), ['', '', inPart, inPart]);
  const answered: CrashEvent[] = [...asked, { type: 'answer', question: 2 }];
  t.same(verdicts(answered, ['2'], ['1r', '2'], []), [
    '',
    'message 1 of q#1 was acked by a commit and is back',
    'message 2 of q#1 was confirmed and is lost',
  ]);
  const undone: CrashEvent[] = [...open, { type: 'rollback', tx: 9 }];
  t.same(verdicts(undone, ['1r'], ['1r', '2']), [
    '',
    'message 2 of q#1 was not committed and is back',
  ]);
});

t.test('a commit that was perhaps never read may turn out not to have happened', async (t) => {
  const lost: CrashEvent[] = [
    ...MADE,
    publish(1),
    confirm(1),
    deliver(1),
    publish(2, { tx: 9 }),
    settle(1, 9),
    { type: 'commit', question: 2, tx: 9 },
  ];
  t.throws(() => modelOf([...lost, deliver(1, true)]), /though it was acked/);
  lost.push({ type: 'commit-lost', tx: 9 });
  t.same(verdicts(lost, ['1r'], ['2'], ['1r', '2']), [
    '',
    '',
    'transaction 9 has happened in part',
  ]);
  lost.push(deliver(1, true));
  t.same(verdicts(lost, ['1r'], ['2']), [
    '',
    'message 2 of q#1 was not committed and is back; message 1 of q#1 was confirmed and is lost',
  ]);
});

t.test(
  'what the broker enters by itself is there whole, at the end, once it is durable',
  async (t) => {
    const other: CrashEvent = {
      type: 'ask',
      question: 2,
      change: { kind: 'declare-queue', name: 'r', durable: true },
    };
    const refer = { type: 'refer', question: 3, tx: 5, id: 7, queueKeys: [Q] } as const;
    const moved: CrashEvent[] = [
      ...MADE,
      other,
      { type: 'answer', question: 2 },
      publish(7, { key: 'r' }),
      publish(8),
      confirm(7, 8),
      { ...refer, source: { queueKey: 'r#1', id: 7 } },
      publish(9),
      confirm(9),
    ];
    const both = (q: readonly string[], r: readonly string[]): string => {
      const queues = new Map([...found(q).queues, ['r', found(r).queues.get('q')!]]);
      return checkObservation(modelOf(moved), found(null, { queues })).join('; ');
    };
    t.equal(both(['8', '7', '9'], []), '');
    t.equal(both(['8', '9'], ['7']), '');
    t.equal(both(['8', '7', '9'], ['7']), 'transaction 5 has happened in part');
    t.equal(both(['8', '9'], []), 'transaction 5 has happened in part');
    t.equal(both(['7', '8', '9'], []), 'message 8 of q#1 is out of order');
    moved.push({ type: 'answer', question: 3 });
    t.equal(both(['8', '7', '9'], []), '');
    t.equal(
      both(['8', '9'], ['7']),
      'message 7 of q#1 was confirmed and is lost; message 7 of r#1 was acked by a commit and is back',
    );
    const copied: CrashEvent[] = [...moved.slice(0, 6), { ...refer, source: null }];
    t.same(verdicts(copied, ['8', '7'], ['8']), [
      'queue r#1 was declared and is gone',
      'queue r#1 was declared and is gone',
    ]);
  },
);

t.test('bindings and exchanges are there once made, and gone once ended', async (t) => {
  const bound: CrashEvent[] = [
    ...MADE,
    { type: 'ask', question: 2, change: { kind: 'declare-exchange', name: 'x', type: 'direct' } },
    { type: 'ask', question: 3, change: { kind: 'bind', exchange: 'x', queue: 'q', key: 'k' } },
    { type: 'answer', question: 2 },
    { type: 'answer', question: 3 },
  ];
  const see = (events: readonly CrashEvent[], exchange: boolean, isBound: boolean): string =>
    checkObservation(
      modelOf(events),
      found([], {
        exchanges: new Set(exchange ? ['x'] : []),
        routes: new Map([['x/k', new Set(isBound ? ['q'] : [])]]),
      }),
    ).join('; ');
  t.equal(see(bound, true, true), '');
  t.equal(see(bound, true, false), 'the binding of q to x/k is gone');
  t.equal(see(bound, false, false), 'exchange x is gone');
  t.equal(see(bound.slice(0, -2), false, false), '');
  const unbind = { kind: 'unbind', exchange: 'x', queue: 'q', key: 'k' } as const;
  const unbound: CrashEvent[] = [...bound, { type: 'ask', question: 4, change: unbind }];
  t.equal(see(unbound, true, true), '');
  t.equal(
    see([...unbound, { type: 'answer', question: 4 }], true, true),
    'the binding of q to x/k is there, and must not be',
  );
  const routed = modelOf([...bound, publish(1, { exchange: 'x', key: 'k' }), confirm(1)]);
  t.match(checkObservation(routed, found([])), ['message 1 of q#1 was confirmed and is lost']);
});

t.test('a publish that is not read goes where it may by its confirm', async (t) => {
  const change = { kind: 'delete-queue', name: 'q' } as const;
  const again = { kind: 'declare-queue', name: 'q', durable: true } as const;
  const events: CrashEvent[] = [
    ...MADE,
    publish(1),
    { type: 'unread', id: 1 },
    { type: 'ask', question: 2, change },
    { type: 'ask', question: 3, change: again },
    { type: 'answer', question: 2 },
    { type: 'answer', question: 3 },
    confirm(1),
  ];
  t.same(verdicts(events, [], ['1']), ['', '']);
});

t.test('of two queues of one name the one is meant that could have what is found', async (t) => {
  const events: CrashEvent[] = [
    ...MADE,
    publish(1),
    confirm(1),
    publish(2),
    { type: 'unread', id: 2 },
    { type: 'ask', question: 2, change: { kind: 'delete-queue', name: 'q' } },
    { type: 'ask', question: 3, change: { kind: 'declare-queue', name: 'q', durable: true } },
    publish(3),
  ];
  t.same(verdicts(events, ['2', '3'], ['2'], ['1', '2'], []), ['', '', '', '']);
  t.same(verdicts(events, ['1', '3']), ['message 1 of q#2 was never sent there']);
});

t.test('the next life begins with what was found, and nothing else comes back', async (t) => {
  const events = [...MADE, publish(1), publish(2), publish(3), confirm(1), deliver(1)];
  const next = nextModel(modelOf(events), found(['1r', '2']));
  t.same(checkObservation(next, found(['1r', '2'])), []);
  t.same(checkObservation(next, found(['1', '2', '3'])), [
    'message 1 of q#1 is not redelivered',
    'message 3 of q#1 was never sent there',
  ]);
  t.same(checkObservation(next, found(['1r'])), ['message 2 of q#1 was confirmed and is lost']);
});
