/** The headers property: every field type of the wire passes through octet by octet. */
import { getOne } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

const HEADERS_FLAG = 0x2000;

/** One field of each type that RabbitMQ reads and writes: name, tag, value. */
const FIELDS: readonly (readonly [string, string, readonly number[]])[] = [
  ['boolean', 't', [1]],
  ['int8', 'b', [0xfb]],
  ['uint8', 'B', [0xfb]],
  ['int16', 's', [0xff, 0xfe]],
  ['uint16', 'u', [0xff, 0xfe]],
  ['int32', 'I', [0x80, 0, 0, 1]],
  ['uint32', 'i', [0xff, 0xff, 0xff, 0xff]],
  ['int64', 'l', [0x80, 0, 0, 0, 0, 0, 0, 1]],
  ['int64 by its other tag', 'L', [0, 0, 0, 0, 0, 0, 0, 5]],
  ['float', 'f', [0x40, 0x49, 0x0f, 0xdb]],
  ['double', 'd', [0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18]],
  ['decimal', 'D', [2, 0, 0, 0x30, 0x39]],
  ['string', 'S', [0, 0, 0, 3, 0xe2, 0x82, 0xac]],
  ['string that is not UTF-8', 'S', [0, 0, 0, 2, 0xff, 0xfe]],
  ['bytes', 'x', [0, 0, 0, 3, 0, 1, 2]],
  ['array', 'A', [0, 0, 0, 4, 0x74, 1, 0x62, 7]],
  ['timestamp', 'T', [0, 0, 0, 0, 0x65, 0x53, 0xf1, 0]],
  ['table', 'F', [0, 0, 0, 4, 1, 0x61, 0x74, 0]],
  ['void', 'V', []],
];

function field(name: string, tag: string, value: readonly number[]): Buffer {
  return Buffer.concat([
    Buffer.from([Buffer.byteLength(name)]),
    Buffer.from(name + tag),
    Buffer.from(value),
  ]);
}

/** Property flags and values of a message that has a headers table with these octets. */
function propertiesWith(tableBody: Buffer): Buffer {
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(HEADERS_FLAG, 0);
  fixed.writeUInt32BE(tableBody.length, 2);
  return Buffer.concat([fixed, tableBody]);
}

for (const [name, tag, value] of FIELDS) {
  scenario(
    `a header of type ${tag} (${name}) passes through octet by octet [basic.headers/${name.replaceAll(' ', '-').toLowerCase()}]`,
    async (t, broker) => {
      const raw = await broker.rawChannel();
      const queue = await raw.declareQueue(1);
      const properties = propertiesWith(field('header', tag, value));
      raw.publish(1, { routingKey: queue }, Buffer.from('body'), properties);
      t.same((await raw.get(1, queue)).properties, properties);
    },
  );
}

scenario(
  'all field types, nested and in their order, pass through octet by octet [basic.headers/nested]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    const all = Buffer.concat(FIELDS.map(([name, tag, value]) => field(name, tag, value)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(all.length);
    const nested = field('nested', 'F', [...length, ...all]);
    const properties = propertiesWith(Buffer.concat([all, nested]));
    raw.publish(1, { routingKey: queue }, Buffer.from('body'), properties);
    t.same((await raw.get(1, queue)).properties, properties);
  },
);

scenario(
  'headers of every JavaScript kind come back as they were sent [basic.headers/kinds]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const headers = {
      number: 1,
      negative: -70_000,
      fraction: 0.5,
      text: 'žluťoučký 🐎',
      yes: true,
      nothing: null,
      list: [1, 'two', [3]],
      table: { inner: { deep: 'value' } },
    };
    channel.sendToQueue(queue, Buffer.from('body'), { headers });
    await channel.waitForConfirms();
    t.same((await getOne(channel, queue, { noAck: true })).properties.headers, headers);
  },
);

scenario(
  'a header of an unknown type closes the connection [basic.headers/unknown-type]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.publish', { routingKey: queue });
    raw.sendHeader(1, 0, propertiesWith(field('header', '?', [1])));
    t.ok((await raw.expectConnectionClose()).code > 500, 'a code of a connection error');
  },
);
