import { scenario } from '../support/scenario.ts';

scenario(
  'access.request is answered with ticket 1, as of old [access.request/ticket]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'access.request', { realm: '/data' });
    t.same(await raw.expect(1, 'access.request-ok'), { ticket: 1 });
  },
);
