import { scenario } from '../support/scenario.ts';

scenario(
  'a new secret is answered with update-secret-ok [connection.update-secret/ok]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(0, 'connection.update-secret', {
      newSecret: Buffer.from('token'),
      reason: 'renewed',
    });
    t.same(await raw.expect(0, 'connection.update-secret-ok'), {});
    raw.send(1, 'channel.flow', { active: true });
    await raw.expect(1, 'channel.flow-ok');
  },
);
