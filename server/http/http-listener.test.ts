import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import t from 'tap';
import { productVersion } from '../config/version.ts';
import { createLogger, createSilentLogger, type Logger } from '../telemetry/logger.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { HttpListener } from './http-listener.ts';
import type { Health, ServerStatus } from './server-status.ts';

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

const NO_DELAYS = { windowMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };

async function startListener(
  t: Teardown,
  status: Partial<ServerStatus> = {},
  logger: Logger = createSilentLogger(),
) {
  const listener = await HttpListener.start({
    addresses: ['127.0.0.1'],
    port: 0,
    status: {
      listeners: () => [],
      health: () => ({ ok: true }),
      alarm: () => '',
      loopDelays: () => NO_DELAYS,
      ...status,
    },
    logger,
  });
  t.teardown(() => listener.stop());
  return { listener, port: listener.addresses[0]!.port };
}

function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, method, agent: new Agent() }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const type = response.headers['content-type'];
        resolve({ status: response.statusCode, type, body: text });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

t.test('what answers is loaded at the first request, not before', async (t) => {
  const isLoaded = () =>
    Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('/fastify/'));
  const { port } = await startListener(t);
  t.notOk(isLoaded());
  t.match(await ask(port, '/healthz'), { status: 200 });
  t.ok(isLoaded());
});

t.test('the page shows name, version and the addresses that work', async (t) => {
  const { port } = await startListener(t, {
    listeners: () => [
      { protocol: 'amqp', address: '127.0.0.1', port: 5672 },
      { protocol: 'http', address: '::1', port: 15672 },
    ],
  });
  const { status, type, body } = await ask(port, '/');
  t.equal(status, 200);
  t.equal(type, 'text/html; charset=utf-8');
  t.match(body, `<h1>FirnMQ ${productVersion}</h1>`);
  t.match(body, '<code>amqp://127.0.0.1:5672</code>');
  t.match(body, '<a href="http://[::1]:15672/">');
});

t.test('the page cannot be used to smuggle in markup', async (t) => {
  const { port } = await startListener(t, {
    listeners: () => [{ protocol: 'http', address: '"><script>', port: 1 }],
  });
  t.notMatch((await ask(port, '/')).body, '<script');
});

t.test('an alarm fails its own health check and is named by the other', async (t) => {
  let alarm = '';
  const { port } = await startListener(t, { alarm: () => alarm });
  t.match(await ask(port, '/healthz/alarms'), { status: 200, body: '{"status":"ok"}' });
  alarm = 'low on memory';
  t.match(await ask(port, '/healthz/alarms'), {
    status: 503,
    body: '{"status":"failed","reason":"low on memory"}',
  });
  t.match(await ask(port, '/healthz'), {
    status: 200,
    body: '{"status":"ok","alarm":"low on memory"}',
  });
});

t.test('the delays of the event loop are told', async (t) => {
  const delays = { windowMs: 10_000, p50Ms: 0.1, p99Ms: 3.5, maxMs: 12 };
  const { port } = await startListener(t, { loopDelays: () => delays });
  t.match(await ask(port, '/healthz/loop'), { status: 200, body: JSON.stringify(delays) });
});

t.test('the health check follows the health of the server', async (t) => {
  let health: Health = { ok: true };
  const { port } = await startListener(t, { health: () => health });
  t.match(await ask(port, '/healthz'), { status: 200, body: '{"status":"ok"}' });
  health = { ok: false, reason: 'the disk is full' };
  t.match(await ask(port, '/healthz'), {
    status: 503,
    body: '{"status":"failed","reason":"the disk is full"}',
  });
});

t.test("an unknown path is RabbitMQ's 404, with any method", async (t) => {
  const { port } = await startListener(t);
  const body = '{"error":"Object Not Found","reason":"Not Found"}';
  for (const [path, method] of [
    ['/nothing', 'GET'],
    ['/api/queues/%2F?x=%zz', 'GET'],
    ['/nothing', 'PUT'],
  ] as const) {
    t.match(await ask(port, path, method), { status: 404, body, type: /^application\/json/ });
  }
});

t.test('a path that cannot be decoded is a 400', async (t) => {
  const { port } = await startListener(t);
  t.match(await ask(port, '/%zz'), {
    status: 400,
    body: /^\{"error":"bad_request","reason":".+"\}$/,
  });
});

t.test(
  'a controller that fails is a 500; the log has the reason, the client has not',
  async (t) => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', output: { write: (line) => lines.push(line) } });
    const health = () => {
      throw new Error('an inner matter');
    };
    const { port } = await startListener(t, { health }, logger);
    t.match(await ask(port, '/healthz'), {
      status: 500,
      body: '{"error":"internal_error","reason":"Internal Server Error"}',
    });
    const fields = { event: 'request.fail', component: 'http', url: '/healthz' };
    t.match(JSON.parse(lines.join('')), { ...fields, err: { message: 'an inner matter' } });
  },
);

t.test('requests that come at once, before anything is loaded, wait for one load', async (t) => {
  // Whatever is loaded takes a child logger, so the children count the loads.
  let loads = 0;
  const logger = Object.create(createSilentLogger(), {
    child: {
      value: () => {
        loads++;
        return createSilentLogger();
      },
    },
  }) as Logger;
  const { port } = await startListener(t, {}, logger);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/healthz')));
  t.ok(answers.every(({ status }) => status === 200));
  t.equal(loads, 1);
});

t.test('bytes that are not HTTP are answered with 400 and hurt nobody else', async (t) => {
  const { port } = await startListener(t);
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write('AMQP\0\0\x09\x01\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [string];
  t.match(answer, /^HTTP\/1\.1 400 /);
  await once(socket, 'close');
  t.match(await ask(port, '/healthz'), { status: 200 });
});

t.test('a stop closes open connections and frees the port', async (t) => {
  const { listener, port } = await startListener(t);
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  const closed = new Promise((resolve) => {
    socket.on('error', () => undefined).once('close', resolve);
  });
  await listener.stop();
  await closed;
  await t.rejects(ask(port, '/'), { code: 'ECONNREFUSED' });
});

t.test('an address in use is one sentence', async (t) => {
  const { port } = await startListener(t);
  const status: ServerStatus = {
    listeners: () => [],
    health: () => ({ ok: true }),
    alarm: () => '',
    loopDelays: () => NO_DELAYS,
  };
  const options = { addresses: ['127.0.0.1'], port, status, logger: createSilentLogger() };
  await t.rejects(HttpListener.start(options), {
    message: `cannot listen for http on 127.0.0.1 port ${port}: the port is in use by another program`,
  });
});
