import { consume, enqueue } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

const FRAME_MAX = 4096;

for (const [size, frames] of [
  [0, 0],
  [1, 1],
  [FRAME_MAX - 8, 1],
  [FRAME_MAX - 7, 2],
  [3 * (FRAME_MAX - 8), 3],
] as const) {
  scenario(
    `a body of ${size} octets is delivered in ${frames} frames of at most ${FRAME_MAX} [basic.deliver/body-${size}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const { queue } = await channel.assertQueue(broker.queueName('frames'));
      channel.sendToQueue(queue, Buffer.alloc(size, 'x'));
      await channel.waitForConfirms();
      const raw = await broker.rawChannel({ frameMax: FRAME_MAX });
      raw.send(1, 'basic.consume', { queue, consumerTag: 'mine', noAck: true });
      await raw.expect(1, 'basic.consume-ok');
      await raw.expect(1, 'basic.deliver');
      const { bodySize } = await raw.expectHeader(1);
      t.equal(bodySize, size);
      const sizes: number[] = [];
      for (let left = size; left > 0; left -= sizes.at(-1) ?? 0) {
        sizes.push((await raw.expectBody(1)).length);
      }
      t.equal(sizes.length, frames);
      t.ok(sizes.every((piece) => piece + 8 <= FRAME_MAX));
      raw.send(1, 'basic.cancel', { consumerTag: 'mine' });
      await raw.expect(1, 'basic.cancel-ok');
    },
  );
}

scenario(
  'a message that was delivered before is marked redelivered, also when another consumer had it [basic.deliver/redelivered]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue(broker.queueName('redelivered'));
    await enqueue(channel, queue, 'one');
    const first = await consume(channel, queue);
    t.equal((await first.deliveries.take()).fields.redelivered, false);
    await connection.close();
    const second = await consume(await broker.channel(), queue);
    t.equal((await second.deliveries.take()).fields.redelivered, true);
  },
);

scenario(
  'deliveries of several consumers and gets share the tags of their channel [basic.deliver/tags]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue: first } = await channel.assertQueue('', { exclusive: true });
    const { queue: second } = await channel.assertQueue('', { exclusive: true });
    const one = await consume(channel, first);
    await enqueue(channel, first, 'one');
    t.equal((await one.deliveries.take()).fields.deliveryTag, 1);
    await enqueue(channel, second, 'two', 'three');
    const got = await channel.get(second);
    t.match(got, { fields: { deliveryTag: 2 } });
    const two = await consume(channel, second);
    t.equal((await two.deliveries.take()).fields.deliveryTag, 3);
  },
);

scenario(
  'a body of exactly n full frames is delivered in n frames, none above frame-max [basic.deliver/full-frames]',
  async (t, broker) => {
    const frameMax = 4096;
    const pieceSize = frameMax - 8;
    const raw = await broker.rawChannel({ frameMax });
    const queue = await raw.declareQueue(1);
    const sizes = [1, pieceSize - 1, pieceSize, pieceSize + 1, 2 * pieceSize, 2 * pieceSize + 1];
    for (const size of sizes) raw.publish(1, { routingKey: queue }, Buffer.alloc(size, size % 251));
    raw.send(1, 'basic.consume', { queue, noAck: true });
    await raw.expect(1, 'basic.consume-ok');
    for (const size of sizes) {
      await raw.expect(1, 'basic.deliver');
      t.equal((await raw.expectHeader(1)).bodySize, size);
      const pieces: Buffer[] = [];
      for (let left = size; left > 0; left -= pieceSize) pieces.push(await raw.expectBody(1));
      t.ok(
        pieces.every((piece) => piece.length <= pieceSize),
        `${size} octets in ${pieces.length} frames`,
      );
      t.ok(Buffer.concat(pieces).equals(Buffer.alloc(size, size % 251)));
    }
    t.same(raw.untaken, []);
  },
);

scenario(
  'an empty body is delivered without any body frame [basic.deliver/no-body-frame]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.consume', { queue, noAck: true });
    await raw.expect(1, 'basic.consume-ok');
    raw.publish(1, { routingKey: queue }, Buffer.alloc(0));
    await raw.expect(1, 'basic.deliver');
    t.equal((await raw.expectHeader(1)).bodySize, 0);
    raw.send(1, 'channel.flow');
    await raw.expect(1, 'channel.flow-ok');
  },
);
