/** A client that waits for each reply keeps the server's event loop awake; others let it sleep. */
import t from 'tap';
import { basicConsume, channelOpen, publish, queueDeclare } from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

/** So long that hardly any machine is too slow; the end of a test may wait for it. */
const WAIT_MS = 2000;

async function setUp(t: Teardown) {
  const { port, broker } = await startAmqp(t, { tuning: { busyWaitMs: WAIT_MS } });
  const client = await RawClient.open(t, port);
  client.write(channelOpen(1), queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'channel.open-ok');
  await client.expect(1, 'queue.declare-ok');
  return { port, busyWait: broker.reactor.busyWait, client };
}

async function askOften(client: RawClient): Promise<void> {
  for (let i = 0; i < 30; i++) {
    client.write(queueDeclare(1, { queue: 'q' }));
    await client.expect(1, 'queue.declare-ok');
  }
}

t.test('who asks again and again is awaited, until a word that needs no reply', async (t) => {
  const { client, busyWait } = await setUp(t);
  await askOften(client);
  t.ok(busyWait.isAwake);
  client.write(publish(1, 'q'));
  await eventually(() => {
    if (busyWait.isAwake) throw new Error('still awake');
  });
});

t.test('a publisher is not awaited because a consumer is sent what it publishes', async (t) => {
  const { port, client, busyWait } = await setUp(t);
  client.write(basicConsume(1, { queue: 'q', noAck: true }));
  await client.expect(1, 'basic.consume-ok');
  const publisher = await RawClient.open(t, port);
  publisher.write(channelOpen(1));
  await publisher.expect(1, 'channel.open-ok');
  for (let i = 0; i < 40; i++) {
    publisher.write(publish(1, 'q'));
    await client.expect(1, 'basic.deliver');
  }
  t.notOk(busyWait.isAwake);
});
