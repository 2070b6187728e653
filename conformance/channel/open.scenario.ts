import { openChannel } from '../support/broker.ts';
import { scenario } from '../support/scenario.ts';

scenario('channels of one connection live side by side [channel.open/many]', async (t, broker) => {
  const connection = await broker.connect();
  const channels = await Promise.all(Array.from({ length: 20 }, () => openChannel(connection)));
  const queues = await Promise.all(
    channels.map(async (channel) => (await channel.assertQueue('', { exclusive: true })).queue),
  );
  t.equal(new Set(queues).size, 20);
});

scenario(
  'any number up to channel-max may be opened, in any order [channel.open/numbers]',
  async (t, broker) => {
    const raw = await broker.rawConnection({ channelMax: 2047 });
    for (const channel of [2047, 1, 300]) {
      await raw.openChannel(channel);
      raw.send(channel, 'queue.declare', { queue: '', exclusive: true });
      t.match((await raw.expect(channel, 'queue.declare-ok')).queue, /^amq\.gen-/);
    }
  },
);

scenario(
  'opening an open channel closes the connection with 504 [channel.open/twice]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'channel.open');
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: "CHANNEL_ERROR - second 'channel.open' seen",
      method: 'channel.open',
    });
  },
);

scenario(
  'a method on a channel that is not open closes the connection with 504 [channel.open/not-open]',
  async (t, broker) => {
    const raw = await broker.rawConnection();
    raw.send(3, 'queue.declare', { queue: '' });
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: "CHANNEL_ERROR - expected 'channel.open'",
      method: 'queue.declare',
    });
  },
);

scenario(
  'one channel more than negotiated closes the connection with 530 [channel.open/too-many]',
  async (t, broker) => {
    const raw = await broker.rawConnection({ channelMax: 2 });
    await raw.openChannel(1);
    await raw.openChannel(2);
    raw.send(3, 'channel.open');
    t.same(await raw.expectConnectionClose(), {
      code: 530,
      text: 'NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)',
      method: '',
    });
  },
);
