import t from 'tap';
import { LocalServer } from '../support/local-server.ts';
import { runOrder } from './order-run.ts';

t.test(
  'our server holds to the model of a queue in random scripts of concurrent clients',
  async (t) => {
    const server = await LocalServer.start();
    t.teardown(() => server.stop());
    const { hostname, port } = new URL(server.url);
    const login = { hostname, port: Number(port), username: 'guest', password: 'guest' };
    const plan = { seed: 1, lanes: 2, limitMs: 15_000, scriptsMax: 20 };
    const { scripts, failures } = await runOrder(plan, {
      login,
      isPipelined: true,
      tellsAllBeforeClose: true,
    });
    t.same(failures, []);
    t.ok(scripts > 0);
  },
);
