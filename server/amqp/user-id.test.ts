/** The property user-id across a login; what it may say is in publish-properties.test.ts. */
import t from 'tap';
import { encodePlain, PROTOCOL_HEADER } from '../../generated/index.ts';
import { hashPassword } from '../auth/password-hash.ts';
import { Permissions } from '../auth/permissions.ts';
import { UserStore } from '../auth/user-store.ts';
import { realFileSystem } from '../storage/fs.ts';
import {
  channelOpen,
  connectionOpen,
  connectionStartOk,
  connectionTuneOk,
  publishWith,
} from '../testing/client-frames.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

t.test('the tag impersonator lets a user publish in the name of others', async (t) => {
  const dataDir = temporaryDirectory(t);
  const users = await UserStore.load(realFileSystem, dataDir, { guestOnlyLoopback: true });
  const all = new Permissions({ configure: '.*', write: '.*', read: '.*' });
  for (const [name, tag] of [
    ['speaker', 'impersonator'],
    ['plain', 'monitoring'],
  ] as const) {
    const permissions = new Map([['/', all]]);
    await users.put({ name, passwordHash: hashPassword('p'), tags: [tag], permissions });
  }
  const { port } = await startAmqp(t, { config: { dataDir } });
  const publishAs = async (name: string) => {
    const client = await RawClient.connect(t, port);
    client.write(PROTOCOL_HEADER);
    await client.expect(0, 'connection.start');
    client.write(
      connectionStartOk({ response: encodePlain(name, 'p') }),
      connectionTuneOk(),
      connectionOpen(),
      channelOpen(1),
      publishWith(1, { routingKey: 'nowhere' }, { userId: 'somebody' }),
    );
    await client.expect(0, 'connection.tune');
    await client.expect(0, 'connection.open-ok');
    await client.expect(1, 'channel.open-ok');
    return client;
  };
  await (await publishAs('speaker')).expectNothing(1);
  const refused = await (await publishAs('plain')).expect(1, 'channel.close');
  t.match(refused.args, {
    replyCode: 406,
    replyText:
      "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'plain'",
  });
});
