/** Replies octet by octet: the fields that the standard reserves are there, and texts fit into their short string. */
import { expectChannelError } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'channel.open-ok ends with an empty long string [channel.open/reply-octets]',
  async (t, broker) => {
    const raw = await broker.rawConnection();
    raw.send(1, 'channel.open');
    t.same((await raw.nextFrame()).payload, Buffer.from([0, 20, 0, 11, 0, 0, 0, 0]));
  },
);

scenario(
  'connection.open-ok ends with an empty short string [connection.open/reply-octets]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(0, 'connection.tune-ok');
    raw.send(0, 'connection.open');
    t.same((await raw.nextFrame()).payload, Buffer.from([0, 10, 0, 41, 0]));
  },
);

scenario(
  'basic.get-empty ends with an empty short string [basic.get/reply-octets]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.get', { queue });
    t.same((await raw.nextFrame()).payload, Buffer.from([0, 60, 0, 72, 0]));
  },
);

scenario(
  'replies of a channel come in the order of the requests, of whatever kind they are [channel.open/reply-order]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('order');
    raw.send(1, 'queue.declare', { queue, durable: true });
    raw.send(1, 'basic.qos', { prefetchCount: 1 });
    raw.send(1, 'basic.get', { queue });
    raw.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: 'key' });
    raw.send(1, 'channel.flow');
    raw.send(1, 'queue.delete', { queue });
    await raw.expect(1, 'queue.declare-ok');
    await raw.expect(1, 'basic.qos-ok');
    await raw.expect(1, 'basic.get-empty');
    await raw.expect(1, 'queue.bind-ok');
    await raw.expect(1, 'channel.flow-ok');
    await raw.expect(1, 'queue.delete-ok');
    t.same(raw.untaken, []);
  },
);

scenario(
  'a reply text that is too long for a short string is cut and ends with dots [channel.close/text-cut]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = 'x'.repeat(255);
    const text = `NOT_FOUND - no queue '${queue}' in vhost '/'`;
    await expectChannelError(
      t,
      channel,
      { code: 404, text: `${text.slice(0, 252)}...`, method: 'queue.declare' },
      () => channel.checkQueue(queue),
    );
  },
);
