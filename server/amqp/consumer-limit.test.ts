import t from 'tap';
import { basicCancel, basicConsume, channelOpen, queueDeclare } from '../testing/client-frames.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';

t.test('a channel has no more consumers than the configuration allows', async (t) => {
  const { port } = await startAmqp(t, { config: { consumersPerChannelMax: 2 } });
  const client = await RawClient.open(t, port);
  const consume = (channel: number, consumerTag: string) =>
    basicConsume(channel, { queue: 'q', consumerTag });
  client.write(channelOpen(1), channelOpen(2), queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'channel.open-ok');
  await client.expect(2, 'channel.open-ok');
  await client.expect(1, 'queue.declare-ok');
  client.write(consume(1, 'a'), consume(1, 'b'), basicCancel(1, 'a'), consume(1, 'c'));
  await client.expect(1, 'basic.consume-ok');
  await client.expect(1, 'basic.consume-ok');
  await client.expect(1, 'basic.cancel-ok');
  await client.expect(1, 'basic.consume-ok');
  client.write(consume(2, 'd'));
  await client.expect(2, 'basic.consume-ok');
  client.write(consume(1, 'e'));
  t.match((await client.expect(0, 'connection.close')).args, {
    replyCode: 530,
    replyText: 'NOT_ALLOWED - reached maximum (2) of consumers per channel',
    classId: 60,
    methodId: 20,
  });
});
