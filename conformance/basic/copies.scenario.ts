/** CC and BCC: more routing keys in the headers of a message. */
import { drain, expectChannelError, getOne, publish, returnsOf } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'on the default exchange CC and BCC name more queues, each of which gets one copy [basic.publish/cc-default]',
  async (t, broker) => {
    const channel = await broker.channel();
    const declare = async () => (await channel.assertQueue('', { exclusive: true })).queue;
    const [own, cc, bcc] = [await declare(), await declare(), await declare()];
    const headers = { CC: [cc, own, cc], BCC: [bcc, cc] };
    await publish(channel, '', own, 'one', { headers });
    for (const queue of [own, cc, bcc]) t.same(await drain(channel, queue), ['one']);
  },
);

for (const type of ['direct', 'topic']) {
  scenario(
    `a ${type} exchange routes by the keys in CC and BCC as well [basic.publish/cc-${type}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const exchange = broker.exchangeName('cc');
      await channel.assertExchange(exchange, type, { durable: false });
      const queues: string[] = [];
      for (const key of ['own', 'cc', 'bcc', 'other']) {
        const { queue } = await channel.assertQueue('', { exclusive: true });
        await channel.bindQueue(queue, exchange, key);
        queues.push(queue);
      }
      await publish(channel, exchange, 'own', 'one', { headers: { CC: ['cc'], BCC: ['bcc'] } });
      const found = await Promise.all(queues.map((queue) => drain(channel, queue)));
      t.same(found, [['one'], ['one'], ['one'], []]);
    },
  );
}

scenario(
  'BCC is gone on delivery, CC is kept, and the routing key is the own one [basic.publish/bcc-removed]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const headers = { a: 1, BCC: [queue], CC: ['elsewhere'], b: 'two' };
    await publish(channel, '', 'nowhere', 'one', { headers, messageId: 'id', appId: 'app' });
    const { fields, properties, content } = await getOne(channel, queue, { noAck: true });
    t.equal(fields.routingKey, 'nowhere');
    t.same(properties.headers, { a: 1, CC: ['elsewhere'], b: 'two' });
    t.match(properties, { messageId: 'id', appId: 'app' });
    t.equal(content.toString(), 'one');
  },
);

scenario(
  'a message that only CC leads anywhere counts as routed [basic.publish/cc-mandatory]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const returns = returnsOf(channel);
    const publishWith = (body: string, headers: Record<string, unknown>) =>
      publish(channel, '', 'nowhere', body, { mandatory: true, headers });
    await publishWith('routed', { CC: [queue] });
    await publishWith('returned', { CC: ['nowhere'], BCC: ['either'] });
    const returned = await returns.take();
    t.equal(returned.content.toString(), 'returned');
    t.same(returned.properties.headers, { CC: ['nowhere'] }, 'without BCC');
    t.same(await drain(channel, queue), ['routed']);
  },
);

scenario(
  'elements that are no texts are passed over [basic.publish/cc-elements]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await publish(channel, '', 'nowhere', 'one', { headers: { CC: [5, true, queue, null] } });
    t.same(await drain(channel, queue), ['one']);
  },
);

for (const [name, value, type] of [
  ['CC', 'text', 'longstr'],
  ['CC', null, 'void'],
  ['BCC', true, 'bool'],
  ['BCC', { key: 'x' }, 'table'],
] as const) {
  scenario(
    `${name} of type ${type} closes the channel with 406 [basic.publish/${name.toLowerCase()}-${type}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const text = `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"${name}",${type}}`;
      await expectChannelError(t, channel, { code: 406, text, method: 'basic.publish' }, () =>
        publish(channel, '', 'nowhere', 'refused', { headers: { [name]: value } }),
      );
    },
  );
}
