/** Direct reply-to: answers without a queue. */
import type { ConfirmChannel } from 'amqplib';
import { consume, drain, expectChannelError, getOne, publish, returnsOf } from '../support/amqp.ts';
import { type Broker, openChannel } from '../support/broker.ts';
import { noQueue } from '../support/replies.ts';
import { differs, type ScenarioBody, scenario } from '../support/scenario.ts';

const PSEUDO_QUEUE = 'amq.rabbitmq.reply-to';

/** Sends a request from `channel`, which consumes replies; the name under which it is to be answered. */
async function nameOf(channel: ConfirmChannel): Promise<string> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await publish(channel, '', queue, 'request', { replyTo: PSEUDO_QUEUE });
  const request = await getOne(channel, queue, { noAck: true });
  return String(request.properties.replyTo);
}

async function requester(broker: Broker) {
  const { connection, channel } = await broker.session();
  const replies = await consume(channel, PSEUDO_QUEUE, { noAck: true });
  return { connection, channel, replies, name: await nameOf(channel) };
}

scenario(
  'a reply published on another connection reaches the requester [basic.reply-to/round]',
  async (t, broker) => {
    const { replies, name } = await requester(broker);
    t.ok(name.startsWith(`${PSEUDO_QUEUE}.`), 'the request carries a name of its own');
    const responder = await broker.channel();
    await publish(responder, '', name, 'answer', { correlationId: '7' });
    const reply = await replies.deliveries.take();
    t.equal(reply.content.toString(), 'answer');
    t.equal(reply.properties.correlationId, '7');
    t.match(reply.fields, {
      consumerTag: replies.tag,
      redelivered: false,
      exchange: '',
      routingKey: name,
    });
  },
);

scenario('several replies come in their order [basic.reply-to/order]', async (t, broker) => {
  const { replies, name } = await requester(broker);
  const responder = await broker.channel();
  const sent = Array.from({ length: 20 }, (_, index) => `reply ${index}`);
  await Promise.all(sent.map((body) => publish(responder, '', name, body)));
  const found = await replies.deliveries.takeMany(sent.length);
  t.same(
    found.map(({ content }) => content.toString()),
    sent,
  );
});

scenario('a reply may be large [basic.reply-to/large]', async (t, broker) => {
  const { replies, name } = await requester(broker);
  const responder = await broker.channel();
  const body = Buffer.alloc(5 * 2 ** 20, 'large');
  await publish(responder, '', name, body);
  t.ok((await replies.deliveries.take()).content.equals(body));
});

scenario(
  'a request without a reply consumer closes the channel with 406 [basic.reply-to/no-consumer]',
  async (t, broker) => {
    const channel = await broker.channel();
    const text = 'PRECONDITION_FAILED - fast reply consumer does not exist';
    await expectChannelError(t, channel, { code: 406, text, method: 'basic.publish' }, () =>
      publish(channel, '', 'nowhere', 'request', { replyTo: PSEUDO_QUEUE }),
    );
  },
);

scenario(
  'the reply consumer of another channel does not count [basic.reply-to/other-channel]',
  async (t, broker) => {
    const { connection } = await requester(broker);
    const other = await openChannel(connection);
    const text = 'PRECONDITION_FAILED - fast reply consumer does not exist';
    await expectChannelError(t, other, { code: 406, text, method: 'basic.publish' }, () =>
      publish(other, '', 'nowhere', 'request', { replyTo: PSEUDO_QUEUE }),
    );
  },
);

const REFUSED = {
  acknowledging: [{ noAck: false }, 'reply consumer cannot acknowledge'],
  second: [{ noAck: true }, 'reply consumer already set'],
} as const;

for (const [rule, [options, reason]] of Object.entries(REFUSED)) {
  scenario(
    `a reply consumer that is ${rule === 'second' ? 'the second' : 'to acknowledge'} closes the channel with 406 [basic.reply-to/${rule}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      if (rule === 'second') await consume(channel, PSEUDO_QUEUE, { noAck: true });
      const text = `PRECONDITION_FAILED - ${reason}`;
      await expectChannelError(t, channel, { code: 406, text, method: 'basic.consume' }, () =>
        consume(channel, PSEUDO_QUEUE, options),
      );
    },
  );
}

scenario(
  'the pseudo-queue and the name can be declared, with one consumer and no message [basic.reply-to/declare]',
  async (t, broker) => {
    const { name } = await requester(broker);
    const other = await broker.channel();
    for (const queue of [PSEUDO_QUEUE, name]) {
      const found = { queue, messageCount: 0, consumerCount: 1 };
      t.same(await other.checkQueue(queue), found);
      t.same(await other.assertQueue(queue), found);
    }
  },
);

for (const passive of [true, false]) {
  scenario(
    `a name whose requester is gone is not found by a ${passive ? 'passive ' : ''}declare [basic.reply-to/declare-gone${passive ? '-passive' : ''}]`,
    async (t, broker) => {
      const { channel, name } = await requester(broker);
      await channel.close();
      const other = await broker.channel();
      await expectChannelError(t, other, noQueue(name, 'queue.declare'), () =>
        passive ? other.checkQueue(name) : other.assertQueue(name),
      );
    },
  );
}

const mandatoryReply =
  (returned: number): ScenarioBody =>
  async (t, broker) => {
    const { replies, name } = await requester(broker);
    const responder = await broker.channel();
    const returns = returnsOf(responder);
    await publish(responder, '', name, 'answer', { mandatory: true });
    t.equal((await replies.deliveries.take()).content.toString(), 'answer');
    t.equal(returns.count, returned);
  };

scenario(
  'a mandatory reply that its requester gets is not returned [basic.reply-to/mandatory]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 delivers the reply and returns it as well.',
    'What was delivered was routed; 4.2 has it so, too.',
    mandatoryReply(1),
  ),
  mandatoryReply(0),
);

scenario(
  'a mandatory reply is returned when the requester has cancelled [basic.reply-to/mandatory-gone]',
  async (t, broker) => {
    const { channel, replies, name } = await requester(broker);
    await channel.cancel(replies.tag);
    const responder = await broker.channel();
    const returns = returnsOf(responder);
    await publish(responder, '', name, 'dropped');
    await publish(responder, '', name, 'returned', { mandatory: true });
    t.equal((await returns.take()).content.toString(), 'returned');
  },
);

scenario(
  'a cancelled reply consumer may be followed by another one, with another name [basic.reply-to/again]',
  async (t, broker) => {
    const { channel, replies, name } = await requester(broker);
    await channel.cancel(replies.tag);
    await consume(channel, PSEUDO_QUEUE, { noAck: true });
    t.not(await nameOf(channel), name);
  },
);

scenario(
  'the name does not work through another exchange, nor can it be bound or drained [basic.reply-to/no-queue]',
  async (t, broker) => {
    const { name } = await requester(broker);
    const channel = await broker.channel();
    const returns = returnsOf(channel);
    await publish(channel, 'amq.direct', name, 'elsewhere', { mandatory: true });
    t.equal((await returns.take()).fields.exchange, 'amq.direct');
    await expectChannelError(t, channel, noQueue(name, 'queue.bind'), () =>
      channel.bindQueue(name, 'amq.direct', name),
    );
    const other = await broker.channel();
    await expectChannelError(t, other, noQueue(name, 'basic.get'), () => drain(other, name));
  },
);
