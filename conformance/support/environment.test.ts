import t from 'tap';
import { readEnvironment, toVariables } from './environment.ts';

const SETTINGS = { target: 'rabbitmq', hasUsers: true, outcomeFile: 'outcomes' } as const;

t.test('a scenario process reads what the run decided', async (t) => {
  const url = 'amqp://some%40body:p%3Aw@127.0.0.1:1234';
  t.same(readEnvironment(toVariables({ ...SETTINGS, url })), {
    isTls: false,
    hostname: '127.0.0.1',
    port: 1234,
    username: 'some@body',
    password: 'p:w',
    ...SETTINGS,
  });
});

t.test('a URL may leave out port and credentials, and name an IPv6 address', async (t) => {
  const environment = readEnvironment(toVariables({ ...SETTINGS, url: 'amqp://[::1]' }));
  t.match(environment, { hostname: '::1', port: 5672, username: 'guest', password: 'guest' });
});

t.test('a URL may ask for AMQPS, which has a port of its own', async (t) => {
  const environment = readEnvironment(toVariables({ ...SETTINGS, url: 'amqps://localhost' }));
  t.match(environment, { isTls: true, hostname: 'localhost', port: 5671 });
});

t.test('without a run there is no environment', async (t) => {
  t.equal(readEnvironment({}), null);
});

t.test('an unknown target is refused by name', async (t) => {
  const variables = toVariables({ ...SETTINGS, url: 'amqp://localhost' });
  t.throws(
    () => readEnvironment({ ...variables, FIRNMQ_CONFORMANCE_TARGET: 'other' }),
    /unknown target 'other'/,
  );
});
