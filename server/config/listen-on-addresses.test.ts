import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import t from 'tap';
import { ListenError, listenOnAddresses } from '../base/listen-on-addresses.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

// 192.0.2.1 is set aside for documentation (RFC 5737) and never an address of this machine.
const MISSING = '192.0.2.1';

function listen(t: Teardown, addresses: readonly string[], port = 0) {
  const servers: Server[] = [];
  t.teardown(() => {
    for (const server of servers) server.close();
  });
  const result = listenOnAddresses('amqp', addresses, port, () => {
    const server = createServer();
    servers.push(server);
    return server;
  });
  return { servers, result };
}

t.test('port 0 takes a free port and tells it', async (t) => {
  const { listening, skipped } = await listen(t, ['127.0.0.1', '127.0.0.2']).result;
  t.same(
    listening.map(({ protocol, address }) => [protocol, address]),
    [
      ['amqp', '127.0.0.1'],
      ['amqp', '127.0.0.2'],
    ],
  );
  t.ok(listening.every(({ port }) => port > 0));
  t.same(skipped, []);
});

t.test('an address that the machine lacks is left out while another one listens', async (t) => {
  const { listening, skipped } = await listen(t, [MISSING, '127.0.0.1']).result;
  t.same(
    listening.map(({ address }) => address),
    ['127.0.0.1'],
  );
  t.match(skipped, [{ address: MISSING, code: 'LISTEN_EADDRNOTAVAIL' }]);
});

t.test('when the machine has none of the addresses, the error names the first', async (t) => {
  await t.rejects(listen(t, [MISSING]).result, {
    message: `cannot listen for amqp on ${MISSING} port 0: this machine does not have the address`,
  });
});

t.test('a port in use is an error, and what was opened is closed again', async (t) => {
  const other = createServer().listen(0, '127.0.0.2');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const { servers, result } = listen(t, ['127.0.0.1', '127.0.0.2'], port);
  await t.rejects(result, {
    message: `cannot listen for amqp on 127.0.0.2 port ${port}: the port is in use by another program`,
  });
  t.equal(servers.length, 2);
  t.ok(servers.every((server) => !server.listening));
});

t.test('an error that has no sentence of its own keeps the words of the system', async (t) => {
  const wanted = { protocol: 'http', address: '127.0.0.1', port: 80 } as const;
  t.equal(
    new ListenError(wanted, 'ENOBUFS', new Error('listen ENOBUFS')).message,
    'cannot listen for http on 127.0.0.1 port 80: listen ENOBUFS',
  );
});
