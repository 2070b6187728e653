import t from 'tap';
import { PROTOCOL_HEADER } from '../../generated/index.ts';
import { connectionUpdateSecret } from '../testing/client-frames.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';

t.test('a new secret is taken while the connection is open, and only then', async (t) => {
  const { port } = await startAmqp(t);
  const client = await RawClient.open(t, port);
  client.write(connectionUpdateSecret('token'));
  await client.expect(0, 'connection.update-secret-ok');
  const early = await RawClient.connect(t, port);
  early.write(PROTOCOL_HEADER, connectionUpdateSecret('token'));
  await early.expect(0, 'connection.start');
  t.match((await early.expect(0, 'connection.close')).args, {
    replyCode: 504,
    replyText: 'CHANNEL_ERROR - unexpected method in connection state starting',
  });
});
