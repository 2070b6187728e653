import { encodePlain } from '../../generated/index.ts';
import { POLITE_PROPERTIES } from '../support/raw-client.ts';
import { scenario } from '../support/scenario.ts';
import { OUTSIDER } from '../support/users.ts';

scenario('open of the vhost / is answered with open-ok [connection.open/ok]', async (t, broker) => {
  const raw = await broker.raw();
  await raw.login(broker.environment);
  raw.send(0, 'connection.tune-ok');
  raw.send(0, 'connection.open', { virtualHost: '/' });
  t.same(await raw.expect(0, 'connection.open-ok'), {});
});

scenario(
  'a missing vhost closes the connection with 530 [connection.open/missing-vhost]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(0, 'connection.tune-ok');
    raw.send(0, 'connection.open', { virtualHost: 'nowhere' });
    t.same(await raw.expectConnectionClose(), {
      code: 530,
      text: 'NOT_ALLOWED - vhost nowhere not found',
      method: 'connection.open',
    });
  },
);

scenario(
  'a user without permissions in the vhost is refused with 530 [connection.open/no-permission]',
  { needsUsers: true },
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.start();
    raw.send(0, 'connection.start-ok', {
      clientProperties: POLITE_PROPERTIES,
      response: encodePlain(OUTSIDER.name, OUTSIDER.password),
    });
    await raw.expect(0, 'connection.tune');
    raw.send(0, 'connection.tune-ok');
    raw.send(0, 'connection.open', { virtualHost: '/' });
    t.same(await raw.expectConnectionClose(), {
      code: 530,
      text: `NOT_ALLOWED - access to vhost '/' refused for user '${OUTSIDER.name}'`,
      method: 'connection.open',
    });
  },
);

scenario(
  'opening twice closes the connection with 504 [connection.open/twice]',
  async (t, broker) => {
    const raw = await broker.rawConnection();
    raw.send(0, 'connection.open');
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: 'CHANNEL_ERROR - unexpected method in connection state running',
      method: 'connection.open',
    });
  },
);

scenario(
  'a method of another state closes the connection with 504 [connection.open/wrong-state]',
  async (t, broker) => {
    const raw = await broker.rawConnection();
    raw.send(0, 'connection.tune-ok');
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: 'CHANNEL_ERROR - unexpected method in connection state running',
      method: 'connection.tune-ok',
    });
  },
);

scenario(
  'a method of another class on channel 0 closes the connection with 504 [connection.open/channel-0]',
  async (t, broker) => {
    const raw = await broker.rawConnection();
    raw.send(0, 'queue.declare', { queue: '' });
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: 'CHANNEL_ERROR - unexpected method in connection state running',
      method: 'queue.declare',
    });
  },
);

scenario(
  'a connection method on another channel closes the connection with 503 [connection.open/on-channel]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'connection.open');
    t.same(await raw.expectConnectionClose(), {
      code: 503,
      text: 'COMMAND_INVALID - unimplemented method',
      method: 'connection.open',
    });
  },
);

scenario(
  'a method out of turn during the handshake ends the connection [connection.open/before-tune-ok]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.start();
    raw.send(0, 'connection.open');
    await raw.expectConnectionGone();
    t.pass('it was not let in');
  },
);

scenario(
  'a frame of a channel before open-ok ends the connection [connection.open/channel-before]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(1, 'channel.open');
    await raw.expectConnectionGone();
    t.pass('it was not let in');
  },
);

scenario(
  'an empty vhost name is a name like any other [connection.open/empty-vhost]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(0, 'connection.tune-ok');
    raw.send(0, 'connection.open', { virtualHost: '' });
    t.same(await raw.expectConnectionClose(), {
      code: 530,
      text: 'NOT_ALLOWED - vhost  not found',
      method: 'connection.open',
    });
  },
);
