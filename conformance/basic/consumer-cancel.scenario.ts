import { encodePlain, toFieldTable } from '../../generated/index.ts';
import type { Broker } from '../support/broker.ts';
import { differs, scenario } from '../support/scenario.ts';

scenario(
  'a consumer whose queue is deleted hears of it, whoever deletes it [basic.cancel/queue-deleted]',
  async (t, broker) => {
    const queue = broker.queueName('deleted');
    const raw = await broker.rawChannel();
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    const other = await broker.channel();
    await other.deleteQueue(queue);
    t.same(await raw.expect(1, 'basic.cancel'), { consumerTag: 'mine', noWait: true });
    raw.send(1, 'basic.consume', { queue: await raw.declareQueue(1), consumerTag: 'mine' });
    t.same(await raw.expect(1, 'basic.consume-ok'), { consumerTag: 'mine' }, 'the tag is free');
  },
);

scenario(
  'a cancel-ok of the client is accepted [basic.cancel-ok/accepted]',
  differs(
    'rabbitmq',
    'RabbitMQ closes the connection with 503.',
    'The standard has clients answer a cancel, and the server sends them.',
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, 'basic.cancel-ok', { consumerTag: 'mine' });
      t.same(await raw.expectConnectionClose(), {
        code: 503,
        text: 'COMMAND_INVALID - unimplemented method',
        method: 'basic.cancel-ok',
      });
    },
  ),
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.cancel-ok', { consumerTag: 'mine' });
    raw.send(1, 'channel.flow', { active: true });
    t.same(await raw.expect(1, 'channel.flow-ok'), { active: true });
  },
);

scenario(
  'deliveries may still be acked when their queue is gone [basic.cancel/acks-after]',
  async (t, broker) => {
    const queue = broker.queueName('deleted');
    const raw = await broker.rawChannel();
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    await raw.expect(1, 'basic.deliver');
    await raw.expectHeader(1);
    await raw.expectBody(1);
    const other = await broker.channel();
    await other.deleteQueue(queue);
    await raw.expect(1, 'basic.cancel');
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    raw.send(1, 'channel.flow', { active: true });
    await raw.expect(1, 'channel.flow-ok');
    t.pass('the channel is still open');
  },
);

async function withoutCapability(broker: Broker) {
  const raw = await broker.raw();
  await raw.start();
  const { username, password } = broker.environment;
  raw.send(0, 'connection.start-ok', {
    clientProperties: toFieldTable({ capabilities: { consumer_cancel_notify: false } }),
    response: encodePlain(username, password),
  });
  await raw.expect(0, 'connection.tune');
  raw.send(0, 'connection.tune-ok');
  raw.send(0, 'connection.open', { virtualHost: '/' });
  await raw.expect(0, 'connection.open-ok');
  await raw.openChannel(1);
  return raw;
}

scenario(
  'a client that does not ask for it hears nothing of the end of its queue [basic.cancel/no-capability]',
  async (t, broker) => {
    const queue = broker.queueName('deleted');
    const raw = await withoutCapability(broker);
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    const other = await broker.channel();
    await other.deleteQueue(queue);
    raw.send(1, 'queue.declare', { exclusive: true });
    await raw.expect(1, 'queue.declare-ok');
    t.equal(raw.framesWaiting, 0);
  },
);
