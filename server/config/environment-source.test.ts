import t from 'tap';
import { readEnvironmentSettings } from './environment-source.ts';
import { environmentName, settingNames } from './settings.ts';

function read(env: Readonly<Record<string, string>>) {
  return readEnvironmentSettings(env, '/base');
}

t.test('every setting has a variable', async (t) => {
  for (const name of settingNames) {
    const variable = environmentName(name);
    t.same(read({ [variable]: 'x' }), {
      given: [
        {
          name,
          text: 'x',
          place: 'environment',
          label: variable,
          origin: variable,
          baseDirectory: '/base',
        },
      ],
      serverNames: [],
      problems: [],
      warnings: [],
    });
  }
  t.equal(environmentName('defaultUser'), 'FIRNMQ_DEFAULT_USER');
  t.equal(environmentName('amqpPort'), 'FIRNMQ_AMQP_PORT');
  t.equal(environmentName('httpPort'), 'FIRNMQ_HTTP_PORT');
});

t.test('an empty variable counts as none, and spaces around a value do not count', async (t) => {
  t.same(read({ FIRNMQ_LOG_LEVEL: '', FIRNMQ_BIND: '  ' }).given, []);
  t.match(read({ FIRNMQ_LOG_LEVEL: ' debug\n' }).given, [{ text: 'debug' }]);
  t.match(read({ FIRNMQ_DEFAULT_PASSWORD: ' x ' }).given, [{ text: ' x ' }]);
});

t.test('an unknown variable is warned of, with the one that may be meant', async (t) => {
  const env = { FIRNMQ_DEFUALT_USER: 'a', FIRNMQ_WHATEVER: 'b', PATH: '/bin', firnmq_bind: 'x' };
  t.same(read(env).warnings, [
    "environment: there is no setting FIRNMQ_DEFUALT_USER; did you mean 'FIRNMQ_DEFAULT_USER'?",
    'environment: there is no setting FIRNMQ_WHATEVER',
  ]);
});

t.test('what Kubernetes says about services is passed over', async (t) => {
  const env = {
    FIRNMQ_PORT: 'tcp://10.0.0.1:5672',
    FIRNMQ_PORT_5672_TCP: 'tcp://10.0.0.1:5672',
    FIRNMQ_PORT_5672_TCP_ADDR: '10.0.0.1',
    FIRNMQ_SERVICE_HOST: '10.0.0.1',
    FIRNMQ_SERVICE_PORT_AMQP: '5672',
    FIRNMQ_MAIN_SERVICE_PORT: '5672',
    FIRNMQ_MAIN_PORT_5672_TCP_PROTO: 'tcp',
    FIRNMQ_CONFIG: '/etc/firnmq.ini',
  };
  t.same(read(env), { given: [], serverNames: [], problems: [], warnings: [] });
});
