import fc from 'fast-check';
import t from 'tap';
import {
  type BasicProperties,
  ByteReader,
  decodeBasicProperties,
  type FieldTable,
  toFieldTable,
} from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import type { MessageParts } from '../storage/record-format.ts';
import { propertyBytes } from '../testing/client-frames.ts';
import { messageTo, testActor } from '../testing/open-broker.ts';
import { PublishProperties } from './publish-properties.ts';

const ENVELOPE = '\x01x\x03key';
const NAME = 'amq.rabbitmq.reply-to.token';

/** A message with the properties, as it lies in a chunk between other octets. */
function partsWith(properties: Buffer): MessageParts {
  const before = Buffer.from(`??${ENVELOPE}???`, 'latin1');
  return {
    ...messageTo('x', 'key', 'body'),
    head: new ByteArea(Buffer.concat([before, properties, Buffer.from('????')])),
    envelopeAt: 2,
    envelopeSize: ENVELOPE.length,
    propertiesAt: before.length,
    propertiesSize: properties.length,
  };
}

function bytesOf({ head, propertiesAt, propertiesSize }: MessageParts): Buffer {
  return Buffer.from(head.buf.subarray(propertiesAt, propertiesAt + propertiesSize));
}

/** What becomes of a message with these properties. */
function apply(properties: BasicProperties, replyName: string | null = null) {
  const parts = partsWith(propertyBytes(properties));
  const copies = new PublishProperties(testActor()).apply(parts, replyName);
  const bytes = bytesOf(parts);
  const { head, envelopeAt, envelopeSize } = parts;
  t.equal(head.buf.toString('latin1', envelopeAt, envelopeAt + envelopeSize), ENVELOPE);
  return { copies, properties: decodeBasicProperties(new ByteReader(bytes, 0, bytes.length)) };
}

const NAME_TEXT = fc.string({ maxLength: 20 });
const OTHERS = fc.record(
  {
    contentType: NAME_TEXT,
    contentEncoding: NAME_TEXT,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.nat(255),
    correlationId: NAME_TEXT,
    replyTo: NAME_TEXT,
    expiration: fc.nat().map(String),
    messageId: NAME_TEXT,
    timestamp: fc.nat(),
    type: NAME_TEXT,
    userId: fc.constant('test'),
    appId: NAME_TEXT,
    clusterId: NAME_TEXT,
  },
  { requiredKeys: [] },
);
const HEADERS = fc.dictionary(
  fc.constantFrom('a', 'cc', 'Bcc', 'x-longer', 'CCC', 'Ca', 'aC', 'BCa', 'aCC'),
  fc.oneof(fc.string(), fc.boolean(), fc.nat(), fc.constant({ CC: 1, BCC: 2 })),
);
const KEYS = fc.option(fc.array(fc.string({ maxLength: 10 }), { maxLength: 4 }), {
  nil: undefined,
});

t.test('properties that ask for nothing are left as they are, where they are', async () => {
  fc.assert(
    fc.property(OTHERS, fc.option(HEADERS, { nil: undefined }), (others, headers) => {
      const bytes = propertyBytes(
        headers === undefined ? others : { ...others, headers: toFieldTable(headers) },
      );
      const parts = partsWith(bytes);
      const { head } = parts;
      const copies = new PublishProperties(testActor()).apply(parts, null);
      return copies === null && parts.head === head && bytesOf(parts).equals(bytes);
    }),
  );
});

t.test(
  'CC and BCC are routing keys; BCC alone is gone afterwards, all else is there',
  async (t) => {
    fc.assert(
      fc.property(
        OTHERS,
        HEADERS,
        KEYS,
        KEYS,
        fc.boolean(),
        (others, headers, cc, bcc, bccFirst) => {
          const ccEntry = cc === undefined ? [] : [...toFieldTable({ CC: cc })];
          const bccEntry = bcc === undefined ? [] : [...toFieldTable({ BCC: bcc })];
          const table: FieldTable = new Map([
            ...(bccFirst ? bccEntry : []),
            ...toFieldTable(headers),
            ...ccEntry,
            ...(bccFirst ? [] : bccEntry),
          ]);
          const found = apply({ ...others, headers: table });
          const isNamed = cc !== undefined || bcc !== undefined;
          t.same(found.copies, isNamed ? [...(cc ?? []), ...(bcc ?? [])] : null);
          const left: FieldTable = new Map([...table].filter(([name]) => name !== 'BCC'));
          t.same(found.properties, { ...others, headers: left });
        },
      ),
      { numRuns: 50 },
    );
  },
);

t.test('the pseudo-queue in reply-to becomes the name of the channel', async (t) => {
  fc.assert(
    fc.property(OTHERS, KEYS, (others, bcc) => {
      const lists = bcc === undefined ? {} : { headers: toFieldTable({ n: 1, BCC: bcc }) };
      const left = bcc === undefined ? {} : { headers: toFieldTable({ n: 1 }) };
      const asked = { ...others, ...lists, replyTo: 'amq.rabbitmq.reply-to' };
      const found = apply(asked, NAME);
      t.same(found.copies, bcc ?? null);
      t.same(found.properties, { ...others, ...left, replyTo: NAME });
    }),
    { numRuns: 50 },
  );
  t.throws(() => apply({ replyTo: 'amq.rabbitmq.reply-to' }), {
    replyCode: 406,
    message: 'fast reply consumer does not exist',
  });
});

t.test(
  'whatever a channel has published before, the next properties get the same answer',
  async (t) => {
    /** What they became, or what is wrong with them. */
    function outcome(of: PublishProperties, bytes: Buffer): unknown {
      const parts = partsWith(bytes);
      try {
        return { copies: of.apply(parts, NAME), bytes: bytesOf(parts) };
      } catch (error) {
        return String(error);
      }
    }
    const kinds: readonly BasicProperties[] = [
      {},
      { deliveryMode: 1 },
      { deliveryMode: 2 },
      { deliveryMode: 3 },
      { deliveryMode: 2, headers: toFieldTable({}) },
      { deliveryMode: 2, headers: toFieldTable({ CC: ['a'] }) },
      { deliveryMode: 2, headers: toFieldTable({ cc: ['a'] }) },
      { contentType: 'x'.repeat(100) },
      { expiration: '5' },
      { expiration: 'z' },
      { replyTo: 'amq.rabbitmq.reply-to' },
      { userId: 'test' },
      { userId: 'rest' },
    ];
    const malformed = fc
      .uint8Array({ minLength: 2, maxLength: 6 })
      .map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 5, arbitrary: fc.constantFrom(...kinds).map(propertyBytes) },
            malformed,
          ),
        ),
        (published) => {
          const one = new PublishProperties(testActor());
          for (const bytes of published) {
            t.same(outcome(one, bytes), outcome(new PublishProperties(testActor()), bytes));
          }
        },
      ),
    );
  },
);

t.test('who may speak for others names any user', async (t) => {
  const bytes = propertyBytes({ userId: 'somebody' });
  const apply = (canImpersonate: boolean) =>
    new PublishProperties({ ...testActor(), canImpersonate }).apply(partsWith(bytes), null);
  t.equal(apply(true), null);
  t.throws(() => apply(false), {
    replyCode: 406,
    message: "user_id property set to 'somebody' but authenticated user was 'test'",
  });
});

t.test('what the lists hold besides texts is passed over, and no list is an error', async (t) => {
  const mixed = toFieldTable({ CC: ['a', 5, null, true, 'b'] as unknown as string[] });
  t.same(apply({ headers: mixed }).copies, ['a', 'b']);
  for (const [value, type] of [
    ['text', 'longstr'],
    [true, 'bool'],
    [null, 'void'],
    [{ a: 1 }, 'table'],
  ] as const) {
    t.throws(() => apply({ headers: toFieldTable({ a: 1, BCC: value }) }), {
      replyCode: 406,
      message: `invalid message: {unacceptable_type_in_header,"BCC",${type}}`,
    });
  }
});
