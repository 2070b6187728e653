/** The arguments of queue.declare that every queue understands; those of a feature are with the feature. */
import { FRAME_METHOD, QUEUE_DECLARE_ID } from '../../generated/index.ts';
import { expectChannelError, type ServerClose } from '../support/amqp.ts';
import { differs, type ScenarioBody, scenario } from '../support/scenario.ts';

function invalid(argument: string, queue: string, reason: string): ServerClose {
  const text = `PRECONDITION_FAILED - invalid arg '${argument}' for queue '${queue}' in vhost '/': ${reason}`;
  return { code: 406, text, method: 'queue.declare' };
}

const ACCEPTED = [
  ['queue-type-classic', 'the queue type classic', { 'x-queue-type': 'classic' }],
  ['queue-mode-default', 'the queue mode default', { 'x-queue-mode': 'default' }],
  ['queue-mode-lazy', 'the queue mode lazy', { 'x-queue-mode': 'lazy' }],
  ['queue-version-1', 'queue version 1', { 'x-queue-version': 1 }],
  ['queue-version-2', 'queue version 2', { 'x-queue-version': 2 }],
] as const;

for (const [rule, what, args] of ACCEPTED) {
  scenario(`${what} may be asked for [queue.declare/${rule}]`, async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('argument');
    t.equal((await channel.assertQueue(queue, { arguments: args })).queue, queue);
    t.equal((await channel.assertQueue(queue, { arguments: args })).queue, queue, 'and again');
  });
}

scenario(
  'the queue type classic is what a queue has when nothing is said [queue.declare/queue-type-absent]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('type');
    await channel.assertQueue(queue);
    const again = await channel.assertQueue(queue, { arguments: { 'x-queue-type': 'classic' } });
    t.equal(again.queue, queue);
  },
);

const REFUSED = [
  [
    'queue-version-unknown',
    'an unknown queue version',
    'x-queue-version',
    3,
    '"unsupported queue version \'3\'"',
  ],
  [
    'queue-type-unknown',
    'an unknown queue type',
    'x-queue-type',
    'heap',
    '"unsupported queue type \'heap\'"',
  ],
  [
    'queue-mode-unknown',
    'an unknown queue mode',
    'x-queue-mode',
    'eager',
    '"unsupported queue mode \'eager\'"',
  ],
  [
    'queue-type-not-text',
    'a queue type that is no text',
    'x-queue-type',
    100_000,
    '{unacceptable_type,signedint}',
  ],
  [
    'queue-mode-not-text',
    'a queue mode that is no text',
    'x-queue-mode',
    true,
    '{unacceptable_type,bool}',
  ],
  [
    'queue-version-text',
    'a queue version that is no integer',
    'x-queue-version',
    '2',
    '"expected integer, got longstr"',
  ],
  [
    'queue-version-negative',
    'a negative queue version',
    'x-queue-version',
    -1,
    '{value_negative,-1}',
  ],
] as const;

for (const [rule, what, argument, value, reason] of REFUSED) {
  scenario(`${what} closes the channel with 406 [queue.declare/${rule}]`, async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('argument');
    await expectChannelError(t, channel, invalid(argument, queue, reason), () =>
      channel.assertQueue(queue, { arguments: { [argument]: value } }),
    );
  });
}

scenario(
  'the arguments of a queue that exists are compared before they are checked [queue.declare/arguments-of-existing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('argument');
    await channel.assertQueue(queue);
    const text = `PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue '${queue}' in vhost '/': received the value 'eager' of type 'longstr' but current is none`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue, { arguments: { 'x-queue-mode': 'eager' } }),
    );
  },
);

/** A queue in mode `lazy` cannot be declared in mode `default`; `difference` says why. */
function refusesOtherMode(difference: string): ScenarioBody {
  return async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('mode');
    await channel.assertQueue(queue, { arguments: { 'x-queue-mode': 'lazy' } });
    const text = `PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue '${queue}' in vhost '/': ${difference}`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue, { arguments: { 'x-queue-mode': 'default' } }),
    );
  };
}

scenario(
  'a known argument that differs from the first declaration closes the channel with 406 [queue.declare/inequivalent-argument]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 names the two values of an argument without their types.',
    'Later versions name the types as well, which tells 1 from the text 1.',
    refusesOtherMode("received 'default' but current is 'lazy'"),
  ),
  refusesOtherMode(
    "received the value 'default' of type 'longstr' but current is the value 'lazy' of type 'longstr'",
  ),
);

scenario(
  'a known argument that is left out the second time closes the channel with 406 [queue.declare/missing-argument]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('mode');
    await channel.assertQueue(queue, { arguments: { 'x-queue-mode': 'lazy' } });
    const text = `PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue '${queue}' in vhost '/': received none but current is the value 'lazy' of type 'longstr'`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue),
    );
  },
);

scenario(
  'an arguments table that is longer than its frame closes the connection with 501 [queue.declare/malformed-arguments]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const payload = Buffer.alloc(4 + 2 + 1 + 1 + 4);
    payload.writeUInt32BE(QUEUE_DECLARE_ID, 0);
    payload.writeUInt32BE(50, 8);
    raw.sendFrame(FRAME_METHOD, 1, payload);
    t.match(await raw.expectConnectionClose(), { code: 501, text: /^FRAME_ERROR - ./ });
  },
);
