import { credentials } from 'amqplib';
import { encodePlain, toFieldTable } from '../../generated/index.ts';
import type { ServerClose } from '../support/amqp.ts';
import type { Broker } from '../support/broker.ts';
import { POLITE_PROPERTIES, type RawClient } from '../support/raw-client.ts';
import { differs, scenario } from '../support/scenario.ts';

function loginRefused(mechanism: string): { code: number; text: string; method: string } {
  const text = `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`;
  return { code: 403, text, method: '' };
}

scenario('PLAIN logs in [connection.start-ok/plain]', async (t, broker) => {
  const channel = await broker.channel();
  t.match((await channel.assertQueue('', { exclusive: true })).queue, /^amq\.gen-/);
});

scenario('AMQPLAIN logs in [connection.start-ok/amqplain]', async (t, broker) => {
  const { username, password } = broker.environment;
  const channel = await broker.channel({
    credentials: credentials.amqplain(username, password),
  });
  t.match((await channel.assertQueue('', { exclusive: true })).queue, /^amq\.gen-/);
});

scenario(
  'a wrong password is told with 403 to a client that can hear it [connection.start-ok/wrong-password]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.start();
    const response = encodePlain(broker.environment.username, 'wrong');
    raw.send(0, 'connection.start-ok', { clientProperties: POLITE_PROPERTIES, response });
    t.same(await raw.expectConnectionClose(), loginRefused('PLAIN'));
  },
);

scenario(
  'an unknown user is told the same as a wrong password [connection.start-ok/unknown-user]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.start();
    const response = encodePlain('nobody', 'nothing');
    raw.send(0, 'connection.start-ok', { clientProperties: POLITE_PROPERTIES, response });
    t.same(await raw.expectConnectionClose(), loginRefused('PLAIN'));
  },
);

scenario(
  'a wrong password by AMQPLAIN names that mechanism [connection.start-ok/wrong-password-amqplain]',
  async (t, broker) => {
    const raw = await broker.raw();
    await raw.start();
    const { response } = credentials.amqplain(broker.environment.username, 'wrong');
    raw.send(0, 'connection.start-ok', {
      clientProperties: POLITE_PROPERTIES,
      mechanism: 'AMQPLAIN',
      response: response(),
    });
    t.same(await raw.expectConnectionClose(), loginRefused('AMQPLAIN'));
  },
);

/** Clients that say of a capability what does not count as having it. */
const NOT_TRUE = [false, 1, 'true', {}];

scenario(
  'a capability counts only when it is true: with anything else a wrong password is not told [connection.start-ok/capability-not-true]',
  async (t, broker) => {
    const response = encodePlain(broker.environment.username, 'wrong');
    const outcomes = await Promise.all(
      NOT_TRUE.map(async (value) => {
        const capabilities = { authentication_failure_close: value };
        const raw = await broker.raw();
        await raw.start();
        const clientProperties = toFieldTable({ capabilities });
        raw.send(0, 'connection.start-ok', { clientProperties, response });
        return raw.expectConnectionGone();
      }),
    );
    t.same(
      outcomes,
      NOT_TRUE.map(() => null),
    );
  },
);

/** Responses that say no user and password: by mechanism. */
const MALFORMED = [
  ['PLAIN', Buffer.from('nonsense')],
  ['PLAIN', Buffer.from('somebody\0guest\0guest')],
  ['AMQPLAIN', Buffer.from([5, ...Buffer.from('LOGINS'), 0, 0, 0, 1, 65])],
] as const;

/** How the server ends a polite client that sent each of them. */
function outcomesOfMalformed(broker: Broker): Promise<(ServerClose | null)[]> {
  return Promise.all(
    MALFORMED.map(async ([mechanism, response]) => {
      const raw = await broker.raw();
      await raw.start();
      raw.send(0, 'connection.start-ok', {
        clientProperties: POLITE_PROPERTIES,
        mechanism,
        response,
      });
      return raw.expectConnectionGone();
    }),
  );
}

scenario(
  'a response that its mechanism cannot read closes the connection with 502 [connection.start-ok/malformed]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 drops the socket after some seconds without a connection.close.',
    'The mistake is in the client, which learns nothing about passwords by being told.',
    async (t, broker) => {
      t.same(
        await outcomesOfMalformed(broker),
        MALFORMED.map(() => null),
      );
    },
  ),
  async (t, broker) => {
    const [nonsense, impersonation, incomplete] = await outcomesOfMalformed(broker);
    for (const close of [nonsense, impersonation, incomplete]) t.match(close, { code: 502 });
    t.match(incomplete, {
      text: 'SYNTAX_ERROR - AMQPLAIN auth info is missing LOGIN or PASSWORD field',
    });
  },
);

scenario(
  'client properties may be large: tokens travel in the login [connection.start-ok/large]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 takes no frame above 4096 octets before tune-ok, and drops the socket.',
    'Tokens and descriptions of clients have outgrown that.',
    async (t, broker) => {
      const raw = await sendLargeLogin(broker);
      t.equal(await raw.expectConnectionGone(), null);
    },
  ),
  async (t, broker) => {
    const raw = await sendLargeLogin(broker);
    t.match(await raw.expect(0, 'connection.tune'), { channelMax: 2047 });
  },
);

async function sendLargeLogin(broker: Broker): Promise<RawClient> {
  const { username, password } = broker.environment;
  const raw = await broker.raw();
  await raw.start();
  raw.send(0, 'connection.start-ok', {
    clientProperties: toFieldTable({ description: 'x'.repeat(20_000) }),
    response: encodePlain(username, password),
  });
  return raw;
}

scenario(
  'without that capability a wrong password ends the connection without a word, and other mistakes at login do too [connection.start-ok/silent]',
  async (t, broker) => {
    // Brokers wait for some seconds before they end it: so all of these at once.
    const { username, password } = broker.environment;
    const right = encodePlain(username, password);
    const mistakes = [
      { response: encodePlain(username, 'wrong') },
      { response: Buffer.from(`somebody\0${username}\0${password}`) },
      { response: Buffer.from('nonsense') },
      { mechanism: 'AMQPLAIN', response: Buffer.from([5, 1]) },
      { mechanism: 'UNKNOWN', response: right },
    ];
    const clients = await Promise.all(
      mistakes.map(async (mistake) => {
        const raw = await broker.raw();
        await raw.start();
        raw.send(0, 'connection.start-ok', mistake);
        return raw;
      }),
    );
    // Some tell a mistake in the response with a close; none goes on to connection.tune.
    const [wrongPassword] = await Promise.all(clients.map((raw) => raw.expectConnectionGone()));
    t.equal(wrongPassword, null);
  },
);
