// Publishes what `firnmq recover` exported, each message to the queue it waited in:
// node docs/examples/republish.mjs messages.jsonl [amqp://guest:guest@127.0.0.1]
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import amqp from 'amqplib';

const [file, url = 'amqp://guest:guest@127.0.0.1'] = process.argv.slice(2);
const camelCase = (key) => key.replace(/_./g, (pair) => pair[1].toUpperCase());
const optionsOf = ({ delivery_mode, ...others }) => ({
  ...Object.fromEntries(Object.entries(others).map(([key, value]) => [camelCase(key), value])),
  // The server compares it with the user who publishes now.
  userId: undefined,
  persistent: delivery_mode === 2,
});

const vhosts = new Map();
async function channelTo(vhost) {
  const connection = await amqp.connect(`${url}/${encodeURIComponent(vhost)}`);
  return { connection, channel: await connection.createConfirmChannel(), queues: new Set() };
}

for await (const line of createInterface({ input: createReadStream(file) })) {
  const { vhost, queue, payload, payload_encoding, properties } = JSON.parse(line);
  if (!vhosts.has(vhost)) vhosts.set(vhost, await channelTo(vhost));
  const { channel, queues } = vhosts.get(vhost);
  if (!queues.has(queue)) await channel.assertQueue(queue, { durable: true });
  queues.add(queue);
  const body = Buffer.from(payload, payload_encoding === 'string' ? 'utf8' : 'base64');
  const hasRoom = channel.sendToQueue(queue, body, optionsOf(properties));
  if (!hasRoom) await channel.waitForConfirms();
}
for (const { connection, channel } of vhosts.values()) {
  await channel.waitForConfirms();
  await connection.close();
}
