/** Clients who end their side of the socket, without a word or with a last one. */
import t from 'tap';
import type { Leaving } from '../broker/reactor.ts';
import { basicConsume, channelOpen, publish, queueDeclare } from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

async function setUp(t: Teardown) {
  const server = await startAmqp(t);
  const openClient = async () => {
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1));
    await client.expect(1, 'channel.open-ok');
    return client;
  };
  return { server, openClient };
}

t.test('what a client asked before it left is answered, then the socket is closed', async (t) => {
  const { server, openClient } = await setUp(t);
  const client = await openClient();
  client.end(queueDeclare(1, { queue: 'q', exclusive: true }));
  await client.expect(1, 'queue.declare-ok');
  await client.closed;
  t.equal(server.listener.connectionCount, 0);
  t.equal(server.vhost.queues.size, 0);
});

t.test('before the handshake it is closed as well', async (t) => {
  const { server } = await setUp(t);
  const client = await RawClient.connect(t, server.port);
  client.end();
  await client.closed;
  t.equal(server.listener.connectionCount, 0);
});

t.test('a client that has left is sent nothing more, and others get its share', async (t) => {
  const { server, openClient } = await setUp(t);
  const { reactor } = server.broker;
  const [leaves, stays] = [await openClient(), await openClient()];
  stays.write(queueDeclare(1, { queue: 'q' }));
  await stays.expect(1, 'queue.declare-ok');
  for (const client of [leaves, stays]) {
    client.write(basicConsume(1, { queue: 'q', noAck: true }));
    await client.expect(1, 'basic.consume-ok');
  }
  const leaving: Leaving[] = [];
  const leaveLater = reactor.leaveLater.bind(reactor);
  reactor.leaveLater = (connection) => leaving.push(connection);
  leaves.end();
  await eventually(() => {
    if (leaving.length === 0) throw new Error('it has not left yet');
  });
  const bodies = Array.from({ length: 10 }, (_, i) => `m${i}`);
  stays.write(...bodies.map((body) => publish(1, 'q', body)));
  const got = await stays.expectDeliveries(1, 10);
  t.same(
    got.map(({ body }) => body),
    bodies,
  );
  t.equal(server.listener.connectionCount, 2, 'it waits for its turn');
  leaveLater(leaving[0]!);
  await leaves.closed;
  t.equal(server.listener.connectionCount, 1);
  t.equal(leaves.deliveryCount, 0);
});
