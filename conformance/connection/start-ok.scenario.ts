import { credentials } from 'amqplib';
import { encodePlain } from '../../generated/index.ts';
import { POLITE_PROPERTIES } from '../support/raw-client.ts';
import { scenario } from '../support/scenario.ts';

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
    await Promise.all(clients.map((raw) => raw.expectConnectionGone()));
    for (const raw of clients) t.equal(raw.framesWaiting, 0, 'no connection.tune');
  },
);
