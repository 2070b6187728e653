import { scenario } from '../support/scenario.ts';

scenario('flow with active is answered in kind [channel.flow/active]', async (t, broker) => {
  const raw = await broker.rawChannel();
  raw.send(1, 'channel.flow', { active: true });
  t.same(await raw.expect(1, 'channel.flow-ok'), { active: true });
});

scenario(
  'stopping deliveries by flow closes the connection with 540 [channel.flow/inactive]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'channel.flow', { active: false });
    t.same(await raw.expectConnectionClose(), {
      code: 540,
      text: 'NOT_IMPLEMENTED - active=false',
      method: 'channel.flow',
    });
  },
);
