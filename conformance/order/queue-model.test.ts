/** The model complains of everything that a broker must not do, and of nothing else. */
import t from 'tap';
import { type ModelConsumer, QueueModel } from './queue-model.ts';

function message(number: number, publisher = 'p') {
  return { id: `${publisher}-${number}`, publisher, number };
}

function consumerOf(model: QueueModel, options: Partial<ModelConsumer> = {}): ModelConsumer {
  const consumer = {
    queue: 'q',
    noAck: false,
    prefetch: 1,
    unsettled: 0,
    seen: new Map<string, number>(),
    latestBurst: 0,
    ...options,
  };
  model.consumers.add(consumer);
  return consumer;
}

/** A queue with three messages, published in one burst; the next burst has begun. */
function withThree(operations = 1) {
  const model = new QueueModel(['q']);
  model.beginBurst(1);
  for (const number of [0, 1, 2]) model.publish(message(number), ['q']);
  model.beginBurst(operations);
  return model;
}

function counts(messages: number, consumers: number) {
  return new Map([['q', { messages, consumers }]]);
}

t.test('deliveries in order, acks, and what is put back in its place are fine', async (t) => {
  const model = withThree();
  const consumer = consumerOf(model);
  model.deliver(consumer, 'p-0', false);
  model.rest(counts(2, 1));
  model.beginBurst(1);
  model.requeue('q', 'p-0');
  consumer.unsettled--;
  model.deliver(consumer, 'p-0', true);
  model.rest(counts(2, 1));
  model.beginBurst(1);
  model.settle('q', 'p-0');
  consumer.unsettled--;
  model.deliver(consumer, 'p-1', false);
  model.rest(counts(1, 1));
  t.equal(model.violation, null);
});

/** What a broker must not do, and what the model says of it. */
const VIOLATIONS: readonly (readonly [string, RegExp, (model: QueueModel) => void])[] = [
  [
    'a message that nobody sent',
    /where nobody sent it/,
    (model) => model.got('q', 'p-9', false, true, 0),
  ],
  [
    'a message that somebody has',
    /while somebody has it/,
    (model) => {
      model.deliver(consumerOf(model), 'p-0', false);
      model.deliver(consumerOf(model), 'p-0', true);
    },
  ],
  [
    'a message that was settled',
    /though it was settled/,
    (model) => {
      model.got('q', 'p-0', false, true, 2);
      model.got('q', 'p-0', true, true, 2);
    },
  ],
  [
    'a message that is redelivered and does not say so',
    /not as redelivered/,
    (model) => {
      model.got('q', 'p-0', false, false, 2);
      model.requeue('q', 'p-0');
      model.got('q', 'p-0', false, false, 2);
    },
  ],
  [
    'a message that says so the first time',
    /redelivered the first time/,
    (model) => model.got('q', 'p-0', true, true, 2),
  ],
  ['a get that skips one', /passes p-0/, (model) => model.got('q', 'p-1', false, true, 2)],
  [
    'a first delivery that comes too late',
    /too late/,
    (model) => {
      const consumer = consumerOf(model, { prefetch: 0 });
      model.deliver(consumer, 'p-1', false);
      model.deliver(consumer, 'p-0', false);
    },
  ],
  [
    'more than the prefetch',
    /more than its prefetch/,
    (model) => {
      const consumer = consumerOf(model);
      model.deliver(consumer, 'p-0', false);
      model.deliver(consumer, 'p-1', false);
    },
  ],
  [
    'a message put back behind others',
    /p-1 .* passes p-0/,
    (model) => {
      const consumer = consumerOf(model);
      model.deliver(consumer, 'p-0', false);
      model.rest(counts(2, 1));
      model.beginBurst(1);
      model.requeue('q', 'p-0');
      consumer.unsettled--;
      model.deliver(consumer, 'p-1', false);
      model.rest(counts(2, 1));
    },
  ],
  ['a message lost', /counts 2 messages, 3 are ready/, (model) => model.rest(counts(2, 0))],
  ['a get that finds nothing', /get-empty, though p-0/, (model) => model.gotNothing('q')],
  [
    'a message that stays though a consumer waits',
    /stays in q, though a consumer may take it/,
    (model) => {
      consumerOf(model);
      model.rest(counts(3, 1));
    },
  ],
  [
    'a consumer that is not counted',
    /counts 0 consumers/,
    (model) => {
      model.deliver(consumerOf(model), 'p-0', false);
      model.rest(counts(2, 0));
    },
  ],
  [
    'a get-ok with a wrong count',
    /says that 5 are left/,
    (model) => model.got('q', 'p-0', false, true, 5),
  ],
];

for (const [what, text, act] of VIOLATIONS) {
  t.test(`the model complains of ${what}`, async (t) => {
    const model = withThree();
    act(model);
    t.match(model.violation, text);
  });
}

t.test(
  'among several operations the order of two publishers is open, that of each is not',
  async (t) => {
    const model = new QueueModel(['q']);
    model.beginBurst(2);
    model.publish(message(0, 'a'), ['q']);
    model.publish(message(0, 'b'), ['q']);
    model.publish(message(1, 'b'), ['q']);
    const consumer = consumerOf(model, { prefetch: 2 });
    model.deliver(consumer, 'b-0', false);
    model.deliver(consumer, 'a-0', false);
    model.rest(counts(1, 1));
    t.equal(model.violation, null);
    model.beginBurst(2);
    model.publish(message(2, 'b'), ['q']);
    model.got('q', 'b-2', false, true, 1);
    model.rest(counts(1, 1));
    t.match(model.violation, /b-2 .* passes b-1/);
  },
);

t.test(
  'what was on its way to a channel that ended may be told after its next delivery',
  async (t) => {
    const model = withThree(2);
    consumerOf(model, { prefetch: 0 });
    model.returnsUnseen('q');
    model.got('q', 'p-0', true, true, 2);
    model.deliverTooLate('q', 'p-0');
    t.equal(model.violation, null);
  },
);
