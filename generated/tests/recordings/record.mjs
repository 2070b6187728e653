// Records what a client and a broker say to each other, frame by frame, as hexadecimal text:
//
//     node generated/tests/recordings/record.mjs amqplib|pika BROKER_PORT
//
// It listens on a free loopback port, lets the client run its session through it, and writes
// amqplib.json or pika.json beside itself. The broker must be a RabbitMQ on loopback with guest/guest.
// Tests read these files; this script is needed only to make them anew.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROTOCOL_HEADER_SIZE = 8;
const FRAME_OVERHEAD = 8;
const here = dirname(fileURLToPath(import.meta.url));
const [client, brokerPort] = process.argv.slice(2);
const recorded = { toServer: [], toClient: [] };

const proxy = createServer((downstream) => {
  const upstream = connect(Number(brokerPort), '127.0.0.1');
  downstream.on('data', (chunk) => recorded.toServer.push(chunk));
  upstream.on('data', (chunk) => recorded.toClient.push(chunk));
  // Some clients reset their socket once they have read close-ok.
  downstream.on('error', () => upstream.destroy());
  upstream.on('error', () => downstream.destroy());
  downstream.pipe(upstream).pipe(downstream);
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
const { port } = proxy.address();

const versions = { amqplib: runAmqplib, pika: runPika };
const clientVersion = await versions[client](port);
proxy.close();

const toServer = Buffer.concat(recorded.toServer);
const toClient = Buffer.concat(recorded.toClient);
const recording = {
  client: `${client} ${clientVersion}`,
  broker: brokerVersion(toClient),
  toServer: [
    toServer.subarray(0, PROTOCOL_HEADER_SIZE).toString('hex'),
    ...cutFrames(toServer.subarray(PROTOCOL_HEADER_SIZE)),
  ],
  toClient: cutFrames(toClient),
};
writeFileSync(join(here, `${client}.json`), `${JSON.stringify(recording, null, 2)}\n`);

function cutFrames(stream) {
  const frames = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + FRAME_OVERHEAD + stream.readUInt32BE(at + 3);
    frames.push(stream.subarray(at, end).toString('hex'));
    at = end;
  }
  return frames;
}

function brokerVersion(stream) {
  const match = /versionS\0\0\0.([0-9.]+)/s.exec(stream.toString('latin1'));
  return `RabbitMQ ${match?.[1] ?? '?'}`;
}

async function runPika(proxyPort) {
  const script = join(here, 'pika_session.py');
  const run = await promisify(execFile)('/usr/bin/python3', [script, String(proxyPort)]);
  return run.stdout.trim();
}

async function runAmqplib(proxyPort) {
  const amqp = await import('amqplib');
  const packageFile = new URL('../../../node_modules/amqplib/package.json', import.meta.url);
  const connection = await amqp.connect(`amqp://guest:guest@127.0.0.1:${proxyPort}/?heartbeat=7`, {
    clientProperties: { connection_name: 'recorded äöü' },
  });
  const channel = await connection.createConfirmChannel();
  channel.on('return', () => {});
  await channel.prefetch(100);
  await channel.assertExchange('recorded.topic', 'topic', {
    autoDelete: true,
    arguments: { 'x-note': 'é' },
  });
  await channel.assertExchange('recorded.inner', 'headers', { internal: true, durable: false });
  await channel.bindExchange('recorded.inner', 'recorded.topic', 'a.#');
  const { queue } = await channel.assertQueue('', {
    exclusive: true,
    messageTtl: 600000,
    expires: 3600000,
    maxPriority: 5,
    deadLetterExchange: '',
    deadLetterRoutingKey: 'nowhere',
  });
  await channel.bindQueue(queue, 'recorded.topic', 'a.*');
  await channel.bindQueue(queue, 'recorded.inner', '', { 'x-match': 'any', kind: 'b', count: 7 });
  await channel.checkQueue(queue);
  const deliveries = [];
  let gather = () => {};
  const { consumerTag } = await channel.consume(queue, (message) => {
    deliveries.push(message);
    gather();
  });
  const all = {
    contentType: 'text/plain',
    contentEncoding: 'utf-8',
    persistent: true,
    priority: 4,
    correlationId: 'c-1',
    replyTo: 'answers',
    expiration: '60000',
    messageId: 'm-1',
    timestamp: 1700000000,
    type: 'greeting',
    userId: 'guest',
    appId: 'recorder',
    headers: {
      kind: 'b',
      count: 7,
      big: 2 ** 40,
      negative: -5,
      small: 3,
      short: 300,
      fraction: 1.5,
      yes: true,
      no: false,
      nothing: null,
      bytes: Buffer.from([0, 1, 255]),
      list: ['x', 1, [true, null], { deep: 'äöü' }],
      nested: { inner: { innermost: 1 } },
      when: { '!': 'timestamp', value: 1700000000 },
      price: { '!': 'decimal', value: { digits: 1999, places: 2 } },
      float: { '!': 'float', value: 0.25 },
      int8: { '!': 'int8', value: -8 },
      int16: { '!': 'int16', value: -1600 },
      int64: { '!': 'int64', value: 64 },
    },
  };
  channel.publish('recorded.topic', 'a.b', Buffer.from('first'), all);
  channel.publish('recorded.topic', 'a.c', Buffer.alloc(0));
  channel.publish('recorded.topic', 'a.d', Buffer.alloc(300, 'z'), { persistent: false });
  channel.publish('', 'no such queue', Buffer.from('returned'), { mandatory: true });
  await channel.waitForConfirms();
  await new Promise((resolve) => {
    gather = () => deliveries.length >= 3 && resolve();
    gather();
  });
  channel.ack(deliveries[0]);
  channel.nack(deliveries[1], true, true);
  await new Promise((resolve) => {
    gather = () => deliveries.length >= 4 && resolve();
    gather();
  });
  channel.reject(deliveries[2], false);
  channel.ackAll();
  await channel.cancel(consumerTag);
  channel.sendToQueue(queue, Buffer.from('to get'), { CC: ['x'], headers: {} });
  await channel.waitForConfirms();
  await channel.get(queue, { noAck: true });
  await channel.get(queue, { noAck: true });
  await channel.recover();
  await channel.purgeQueue(queue);
  await channel.unbindQueue(queue, 'recorded.topic', 'a.*');
  await channel.unbindExchange('recorded.inner', 'recorded.topic', 'a.#');
  await channel.deleteQueue(queue);
  await channel.deleteExchange('recorded.inner');
  await channel.close();
  const failing = await connection.createChannel();
  const failed = new Promise((resolve) => failing.on('error', resolve));
  failing.publish('no such exchange', '', Buffer.from('lost'));
  await failed;
  await connection.close();
  return JSON.parse(readFileSync(packageFile, 'utf8')).version;
}
