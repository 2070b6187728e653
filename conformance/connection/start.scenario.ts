import { toPlainTable } from '../../generated/index.ts';
import { PROTOCOL_HEADER } from '../support/raw-client.ts';
import { scenario } from '../support/scenario.ts';

/** What today's clients gate on; each is there only because the broker can do it. */
const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'authentication_failure_close',
  'per_consumer_qos',
  'connection.blocked',
  'consumer_cancel_notify',
  'consumer_priorities',
  'direct_reply_to',
];

scenario(
  'the server starts with version 0-9, its mechanisms and the locale en_US [connection.start/offers]',
  async (t, broker) => {
    const raw = await broker.raw();
    raw.write(PROTOCOL_HEADER);
    const start = await raw.expect(0, 'connection.start');
    t.match(start, { versionMajor: 0, versionMinor: 9 });
    const mechanisms = start.mechanisms.toString().split(' ');
    t.ok(mechanisms.includes('PLAIN'));
    t.ok(mechanisms.includes('AMQPLAIN'));
    t.ok(start.locales.toString().split(' ').includes('en_US'));
  },
);

scenario(
  'server-properties tell what clients and people look for [connection.start/properties]',
  async (t, broker) => {
    const raw = await broker.raw();
    raw.write(PROTOCOL_HEADER);
    const start = await raw.expect(0, 'connection.start');
    const properties = toPlainTable(start.serverProperties);
    const texts = 'cluster_name copyright information platform product version'.split(' ');
    t.same(Object.keys(properties), ['capabilities', ...texts]);
    for (const key of texts) t.type(properties[key], 'string', key);
  },
);

scenario(
  'the server states the capabilities that clients look for [connection.start/capabilities]',
  async (t, broker) => {
    const raw = await broker.raw();
    raw.write(PROTOCOL_HEADER);
    const start = await raw.expect(0, 'connection.start');
    const expected = Object.fromEntries(CAPABILITIES.map((name) => [name, true]));
    t.match(toPlainTable(start.serverProperties)['capabilities'], expected);
  },
);

const FOREIGN = {
  'a later revision of AMQP 0': Buffer.from('AMQP\0\0\x0a\0', 'latin1'),
  'an unknown AMQP version': Buffer.from('AMQP\x09\x09\x09\x09', 'latin1'),
  'an AMQP 1.0 header': Buffer.from('AMQP\0\x01\0\0', 'latin1'),
  'an AMQP 1.0 SASL header': Buffer.from('AMQP\x03\x01\0\0', 'latin1'),
  'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'a TLS ClientHello': Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0]),
};

for (const [what, bytes] of Object.entries(FOREIGN)) {
  scenario(
    `${what} is answered with the protocol header and the end of the connection [connection.start/${what.replace(/^an? /, '').replace('1.0', '1-0').replaceAll(' ', '-').toLowerCase()}]`,
    async (t, broker) => {
      const raw = await broker.raw();
      raw.write(bytes);
      t.same(await raw.expectBytesThenEnd(), PROTOCOL_HEADER);
    },
  );
}

scenario(
  'the header of the old 0-9 is served like that of 0-9-1 [connection.start/header-0-9]',
  async (t, broker) => {
    const raw = await broker.raw();
    raw.write(Buffer.from('AMQP\x01\x01\0\x09', 'latin1'));
    t.match(await raw.expect(0, 'connection.start'), { versionMajor: 0, versionMinor: 9 });
  },
);

scenario(
  'the protocol header may come octet by octet [connection.start/header-in-pieces]',
  async (t, broker) => {
    const raw = await broker.raw();
    for (const octet of PROTOCOL_HEADER) raw.write(Buffer.from([octet]));
    t.match(await raw.expect(0, 'connection.start'), { versionMajor: 0 });
  },
);

scenario(
  'a client that leaves before it said anything harms nobody [connection.start/nothing-sent]',
  async (t, broker) => {
    const silent = await broker.raw();
    silent.endWriting();
    await silent.expectConnectionGone();
    const half = await broker.raw();
    half.write(PROTOCOL_HEADER.subarray(0, 4));
    half.destroy();
    await broker.rawConnection();
    t.pass('the next client is served');
  },
);
