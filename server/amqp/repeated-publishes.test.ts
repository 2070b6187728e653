/** Publishes that repeat the one before: which are taken for such, and that nobody notices. */
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { readU32, toFieldTable } from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import { MessageRun, RUN_LENGTH_MAX } from '../storage/message-run.ts';
import {
  basicConsume,
  bodyFrames,
  channelOpen,
  confirmSelect,
  contentHeader,
  propertyBytes,
  publishMethod,
  publishWith,
  queueBind,
  queueDeclare,
} from '../testing/client-frames.ts';
import { openMemoryAmqp } from '../testing/memory-amqp.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import { ContentAssembly, locatePublish } from './content-assembly.ts';
import { SlabPool } from './output.ts';
import { findRepeats } from './repeated-publishes.ts';

const CHANNEL = 3;
const FRAME_MAX = 4096;
const HEADER_SIZE = 7;
const NO_LARGE_BODIES = {
  create: () => {
    throw new Error('no body of this test is large');
  },
};

function publishOf(body: string, properties = propertyBytes({ deliveryMode: 2 })): Buffer {
  return Buffer.concat([
    publishMethod(CHANNEL, { exchange: 'ex', routingKey: 'key' }),
    contentHeader(CHANNEL, body.length, properties),
    bodyFrames(CHANNEL, Buffer.from(body)),
  ]);
}

/** A publish in `stream` from `at` on, as the router takes it; null: not there whole, or not right. */
function locate(stream: Buffer, at: number): { content: ContentAssembly; next: number } | null {
  if (at + HEADER_SIZE > stream.length || stream[at] !== 1) return null;
  const end = at + HEADER_SIZE + readU32(stream, at + 3);
  if (end >= stream.length) return null;
  const content = new ContentAssembly(NO_LARGE_BODIES, new SlabPool());
  const area = new ByteArea(stream);
  const start = at + HEADER_SIZE;
  const next = locatePublish(area, start, end, stream.length, CHANNEL, FRAME_MAX, content);
  return next > 0 ? { content, next } : null;
}

/** The run behind the first publish of a stream. */
function runOf(stream: Buffer, bodySizeMax = FRAME_MAX): { run: MessageRun; end: number } {
  const first = locate(stream, 0)!;
  const run = new MessageRun();
  const { parts } = first.content;
  const end = findRepeats(parts, 0, first.next, stream.length, bodySizeMax, run);
  return { run, end };
}

t.test('all that differ in nothing but their bodies', async (t) => {
  const bodies = ['a', 'bb', 'c'.repeat(500), 'd'];
  const stream = Buffer.concat(bodies.map((body) => publishOf(body)));
  const { run, end } = runOf(stream);
  t.equal(run.count, 3);
  t.equal(end, stream.length);
  t.equal(runOf(stream.subarray(0, stream.length - 1)).run.count, 2, 'not what is not whole');
  t.equal(runOf(stream, 499).run.count, 1, 'nor what is larger than may be');
});

t.test('no other', async (t) => {
  const first = publishOf('body');
  const others = {
    'a body of none': publishOf(''),
    'another property': publishOf('body', propertyBytes({ deliveryMode: 1 })),
    'no property': publishOf('body', Buffer.from([0, 0])),
    'a key of the same size': Buffer.from(first.toString('latin1').replace('key', 'kez'), 'latin1'),
  };
  for (const [name, other] of Object.entries(others)) {
    const { run, end } = runOf(Buffer.concat([first, other, first]));
    t.same([run.count, end], [0, first.length], name);
  }
});

t.test('at most as many as a run takes', async (t) => {
  const stream = Buffer.concat(Array.from({ length: RUN_LENGTH_MAX + 9 }, () => publishOf('body')));
  const { run, end } = runOf(stream);
  t.equal(run.count, RUN_LENGTH_MAX);
  t.equal(end, (RUN_LENGTH_MAX + 1) * publishOf('body').length);
});

t.test('properties that are larger than is worth it begin no run', async (t) => {
  const one = publishOf('body', propertyBytes({ headers: toFieldTable({ x: 'y'.repeat(1500) }) }));
  t.equal(runOf(Buffer.concat([one, one])).run.count, 0);
});

t.test('whatever octets are damaged, a repeat is a publish like the first', async (t) => {
  const damage = fc.array(fc.record({ at: fc.nat(1000), octet: fc.nat(255) }), { maxLength: 3 });
  const bodies = fc.array(fc.string({ minLength: 1, maxLength: 40 }), {
    minLength: 5,
    maxLength: 9,
  });
  checkProperty(
    t,
    fc.property(bodies, damage, (texts, changes) => {
      const first = publishOf('first');
      const rest = Buffer.concat(texts.map((text) => publishOf(text)));
      for (const { at, octet } of changes) if (at < rest.length) rest[at] = octet;
      const stream = Buffer.concat([first, rest]);
      const { run, end } = runOf(stream);
      let at = first.length;
      for (let i = 0; i < run.count; i++) {
        const found = locate(stream, at);
        if (found === null) return false;
        const { parts } = found.content;
        const same = (offset: number, size: number) =>
          stream
            .subarray(at + offset, at + offset + size)
            .equals(first.subarray(offset, offset + size));
        if (!same(HEADER_SIZE, parts.envelopeAt + parts.envelopeSize - at - HEADER_SIZE))
          return false;
        if (!same(parts.propertiesAt - at, parts.propertiesSize)) return false;
        at = found.next;
      }
      return at === end && (changes.length > 0 || run.count === texts.length);
    }),
  );
});

const QUEUES = ['durable', 'transient', 'both'] as const;
const PROPERTIES = [
  {},
  { deliveryMode: 2 },
  { headers: toFieldTable({ a: 1 }) },
  { messageId: 'm' },
] as const;

t.test('they arrive as they were sent, and are confirmed, however the stream is cut', async (t) => {
  const amqp = await openMemoryAmqp(t);
  const message = fc.record({
    queue: fc.constantFrom(...QUEUES),
    properties: fc.constantFrom(...PROPERTIES),
    size: fc.oneof(fc.nat(40), fc.nat(40_000)),
    repeats: fc.integer({ min: 1, max: 30 }),
  });
  const plan = fc.record({
    messages: fc.array(message, { minLength: 1, maxLength: 12 }),
    cuts: fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 20 }),
  });
  let count = 0;
  const property = fc.asyncProperty(plan, async ({ messages, cuts }) => {
    const suffix = ++count;
    const name = (queue: string) => `${queue}-${suffix}`;
    const { client, of } = await amqp.connect();
    client.send(channelOpen(1), confirmSelect(1), channelOpen(2));
    client.send(queueDeclare(1, { queue: name('durable'), durable: true }));
    client.send(queueDeclare(1, { queue: name('transient') }));
    for (const queue of ['durable', 'transient']) {
      const binding = { queue: name(queue), exchange: 'amq.direct', routingKey: name('both') };
      client.send(queueBind(1, binding));
      client.send(basicConsume(2, { queue: name(queue), consumerTag: queue, noAck: true }));
    }
    const expected = new Map<string, string[]>([
      ['durable', []],
      ['transient', []],
    ]);
    const frames: Buffer[] = [];
    for (const { queue, properties, size, repeats } of messages) {
      for (let i = 0; i < repeats; i++) {
        const body = `${i}:`.padEnd(
          size % (1 << (8 + (i & 7))),
          String.fromCharCode(97 + (i % 26)),
        );
        const exchange = queue === 'both' ? 'amq.direct' : '';
        frames.push(publishWith(1, { exchange, routingKey: name(queue) }, properties, body));
        if (queue !== 'transient') expected.get('durable')!.push(body);
        if (queue !== 'durable') expected.get('transient')!.push(body);
      }
    }
    const stream = Buffer.concat(frames);
    for (let at = 0, i = 0; at < stream.length; i++) {
      const end = Math.min(stream.length, at + cuts[i % cuts.length]!);
      client.send(stream.subarray(at, end));
      at = end;
    }
    const confirmed = () => {
      const last = of('basic.ack').at(-1)?.method;
      return last?.name === 'basic.ack' ? last.args.deliveryTag : 0;
    };
    const heard = (tag: string) =>
      of('basic.deliver')
        .filter(({ method }) => method.name === 'basic.deliver' && method.args.consumerTag === tag)
        .map(({ body }) => body.toString());
    const total = expected.get('durable')!.length + expected.get('transient')!.length;
    await amqp.until(() => of('basic.deliver').length === total && confirmed() === frames.length);
    for (const [tag, bodies] of expected) t.same(heard(tag), bodies);
    client.drop();
    await amqp.turns(2);
  });
  await fc.assert(property, { numRuns: 40 });
});

t.test(
  'one of them that is too large closes the channel; those before it are stored',
  async (t) => {
    const server = await startAmqp(t, { config: { maxMessageSizeBytes: 100 } });
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1), queueDeclare(1, { queue: 'q' }), channelOpen(2));
    for (let i = 0; i < 3; i++) await client.next();
    const one = (size: number) => publishWith(1, { routingKey: 'q' }, {}, 'x'.repeat(size));
    client.write(Buffer.concat([one(5), one(6), one(100), one(101), one(7)]));
    t.equal((await client.expect(1, 'channel.close')).args.replyCode, 406);
    client.write(queueDeclare(2, { queue: 'q', passive: true }));
    t.equal((await client.expect(2, 'queue.declare-ok')).args.messageCount, 3);
  },
);
