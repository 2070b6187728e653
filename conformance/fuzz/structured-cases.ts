/**
 * Sessions made from the metadata: methods in random orders and states with plausible, extreme and illegal values,
 * contents that do not fit their headers, tables that lie about themselves, and frames that are none.
 *
 * Names come from a small pool, so that methods meet queues and exchanges that exist, and a run can delete them.
 */
import fc, { type Arbitrary } from 'fast-check';
import {
  CONNECTION_OPEN_ID,
  CONNECTION_START_OK_ID,
  CONNECTION_TUNE_OK_ID,
  encodePlain,
  type FieldInfo,
  type FieldTable,
  type FieldValue,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  type MethodInfo,
  PROTOCOL_HEADER,
  toFieldTable,
  type WireType,
} from '../../generated/index.ts';
import { methodFrame } from '../support/methods.ts';
import { rawFrame } from '../support/raw-client.ts';
import type { FuzzCase } from './fuzz-case.ts';
import {
  BASIC_PROPERTIES,
  CLIENT_METHODS,
  longstr,
  methodPayload,
  nestedTable,
  propertiesPayload,
  SERVER_METHODS,
  shortstr,
  table,
  unsigned,
  type WireValue,
} from './wire-arguments.ts';

/** Queues that sessions declare. */
export const QUEUE_NAMES: readonly string[] = ['fuzz.q1', 'fuzz.q2', 'fuzz.q3', 'fuzz.é'];
/** Exchanges that sessions declare. */
export const EXCHANGE_NAMES: readonly string[] = ['fuzz.x1', 'fuzz.x2', 'fuzz.x3'];

/** Channels that a session opens: an error ends one of them, and the session goes on. */
const CHANNELS = 6;

const PRODUCTS = toFieldTable({
  product: 'fuzz',
  capabilities: {
    authentication_failure_close: true,
    consumer_cancel_notify: true,
    'connection.blocked': true,
  },
});

const names: Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...QUEUE_NAMES, ...EXCHANGE_NAMES, '') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'direct',
      'fanout',
      'topic',
      'headers',
      'amq.direct',
      'amq.topic',
      'amq.fanout',
      'amq.headers',
      'amq.match',
      'amq.rabbitmq.reply-to',
      'amq.gen-none',
      'no such type',
      '/',
      'tag',
      'fuzz.*',
      '#',
      '*.#.*',
      '60000',
      '0',
      '-1',
      '12x',
      'guest',
      'new\nline',
      '\u0000',
    ),
  },
  // Nothing that is declared under such a name stays: it begins with a reserved prefix.
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }).map((s) => `amq.${s}`) },
  { weight: 1, arbitrary: fc.constant(`amq.${'x'.repeat(251)}`) },
);

const argumentNames: Arbitrary<string> = fc.constantFrom(
  'x-message-ttl',
  'x-expires',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-overflow',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-queue-type',
  'x-queue-mode',
  'x-single-active-consumer',
  'x-priority',
  'x-match',
  'x-delay',
  'x-death',
  'x-stream-offset',
  'alternate-exchange',
  'CC',
  'BCC',
  'capabilities',
  'a',
  '',
  '__proto__',
  'constructor',
);

const argumentValues: Arbitrary<FieldValue> = fc.oneof(
  fc
    .constantFrom(0, 1, -1, 5, 255, 256, 1000, 2 ** 31 - 1, -(2 ** 31))
    .map((value) => ({ tag: 'I', value }) as const),
  fc
    .constantFrom(0n, -1n, 315_360_000_001n, 2n ** 63n - 1n, -(2n ** 63n))
    .map((value) => ({ tag: 'l', value }) as const),
  names.map((value) => ({ tag: 'S', value }) as const),
  fc
    .constantFrom('all', 'any', 'any-with-x', 'drop-head', 'reject-publish', 'classic', 'quorum')
    .map((value) => ({ tag: 'S', value }) as const),
  fc.constant({ tag: 'S', value: Buffer.from([0xff, 0xfe]) } as const),
  fc.boolean().map((value) => ({ tag: 't', value }) as const),
  fc
    .constantFrom(0.5, Number.NaN, Number.NEGATIVE_INFINITY)
    .map((value) => ({ tag: 'd', value }) as const),
  fc.constant({ tag: 'V', value: null } as const),
  fc.constant({ tag: 'A', value: [{ tag: 'S', value: 'fuzz.q1' }] } as const),
  fc.constant({ tag: 'A', value: [{ tag: 'I', value: 1 }] } as const),
  fc.constant({ tag: 'F', value: toFieldTable({ x: true }) } as const),
  fc.constant({ tag: 'D', scale: 255, value: -1 } as const),
  fc.constant({ tag: 'T', value: 2n ** 64n - 1n } as const),
);

const wellFormedTables: Arbitrary<FieldTable> = fc
  .array(fc.tuple(argumentNames, argumentValues), { maxLength: 4 })
  .map((entries) => new Map(entries));

/** Tables, their length before them, right or wrong. */
const tables: Arbitrary<Buffer> = fc.oneof(
  { weight: 200, arbitrary: fc.constant(Buffer.alloc(4)) },
  { weight: 200, arbitrary: wellFormedTables.map(table) },
  { weight: 1, arbitrary: fc.constantFrom(2, 63, 64, 65, 66, 300).map(nestedTable) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(wellFormedTables.map(table), fc.nat(), fc.nat(255))
      .map(([bytes, at, octet]) => withOctet(bytes, at, octet)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0xffff_ffff, 0x7fff_ffff, 1_048_577, 5)
      .map((size) => unsigned(4, size)),
  },
);

const longstrs: Arbitrary<Buffer> = fc.oneof(
  fc.constant(longstr(encodePlain('guest', 'guest'))),
  fc.uint8Array({ maxLength: 40 }).map((octets) => longstr(Buffer.from(octets))),
  fc.constant(unsigned(4, 0xffff_ffff)),
);

const shortstrs: Arbitrary<Buffer> = fc.oneof(
  { weight: 500, arbitrary: names.map(shortstr) },
  { weight: 1, arbitrary: fc.constant(shortstr(Buffer.from([0xc3]))) },
  { weight: 1, arbitrary: fc.constant(shortstr(Buffer.from('a\xff\xfeb', 'latin1'))) },
  { weight: 1, arbitrary: fc.constant(Buffer.from([255])) },
);

const WIRE_VALUES: Readonly<Record<WireType, Arbitrary<WireValue>>> = {
  bit: fc.boolean(),
  octet: fc.nat(255).map((value) => unsigned(1, value)),
  short: numbers(2, [0, 1, 2, 200, 65_535]),
  long: numbers(4, [0, 1, 4096, 131_072, 0xffff_ffff]),
  longlong: fc.oneof(
    { weight: 60, arbitrary: numbers(8, [0, 1, 2, 3, 4, 5, 2 ** 47]) },
    { weight: 1, arbitrary: fc.constant(Buffer.alloc(8, 0xff)) },
  ),
  timestamp: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((octets) => Buffer.from(octets)),
  shortstr: shortstrs,
  longstr: longstrs,
  table: tables,
};

function numbers(size: 1 | 2 | 4 | 8, values: readonly number[]): Arbitrary<Buffer> {
  return fc.constantFrom(...values).map((value) => unsigned(size, value));
}

function valuesOf(fields: readonly FieldInfo[]): Arbitrary<WireValue[]> {
  return fc.tuple(...fields.map((field) => wireValue(field)));
}

/** A bit is seldom set where it makes the server silent, or closes everything. */
function wireValue({ name, type, reserved }: FieldInfo): Arbitrary<WireValue> {
  if (['no-wait', 'immediate'].includes(name)) return seldom();
  if (reserved && type === 'shortstr') return fc.constant(shortstr(''));
  if (name === 'prefetch-size') return seldom().map((set) => unsigned(4, Number(set)));
  if (name === 'exchange' || name === 'source' || name === 'destination') {
    return fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...EXCHANGE_NAMES, '', 'amq.topic').map(shortstr) },
      { weight: 1, arbitrary: WIRE_VALUES[type] },
    );
  }
  return WIRE_VALUES[type];
}

function seldom(): Arbitrary<boolean> {
  return fc.nat(60).map((n) => n === 0);
}

function withOctet(bytes: Buffer, at: number, octet: number): Buffer {
  const changed = Buffer.from(bytes);
  if (changed.length > 0) changed[at % changed.length] = octet;
  return changed;
}

const channels: Arbitrary<number> = fc.oneof(
  { weight: 400, arbitrary: fc.nat(CHANNELS - 1).map((n) => n + 1) },
  { weight: 1, arbitrary: fc.constantFrom(0, CHANNELS + 1, 65_535) },
);

/** Mostly what it was; sometimes cut, lengthened, or with one octet changed. */
function damaged(payloads: Arbitrary<Buffer>): Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 300, arbitrary: payloads },
    {
      weight: 1,
      arbitrary: fc.tuple(payloads, fc.nat()).map(([p, n]) => p.subarray(0, n % (p.length + 1))),
    },
    { weight: 1, arbitrary: payloads.map((payload) => Buffer.concat([payload, Buffer.from([0])])) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(payloads, fc.nat(), fc.nat(255))
        .map(([payload, at, octet]) => withOctet(payload, at, octet)),
    },
  );
}

function methodFrames(methods: readonly MethodInfo[]): Arbitrary<Buffer> {
  return fc.oneof(
    ...methods.map(({ id, fields }) =>
      fc
        .tuple(channels, damaged(valuesOf(fields).map((values) => methodPayload(id, values))))
        .map(([channel, payload]) => rawFrame(FRAME_METHOD, channel, payload)),
    ),
  );
}

/** Methods that end what could go on come seldom. */
const lively = CLIENT_METHODS.filter(
  ({ className, methodName, content }) =>
    !content &&
    className !== 'connection' &&
    !(className === 'channel' && /^(open|close)/.test(methodName)),
);
const deadly = CLIENT_METHODS.filter((method) => !lively.includes(method));

const properties: Arbitrary<Buffer> = fc
  .tuple(
    ...BASIC_PROPERTIES.map((field) =>
      fc.option(WIRE_VALUES[field.type] as Arbitrary<Buffer>, { freq: 3, nil: null }),
    ),
  )
  .map(propertiesPayload);

function headerPayload(classId: number, bodySize: Buffer, flagsAndValues: Buffer): Buffer {
  return Buffer.concat([unsigned(2, classId), unsigned(2, 0), bodySize, flagsAndValues]);
}

const publishMethod = CLIENT_METHODS.find(
  ({ className, methodName }) => className === 'basic' && methodName === 'publish',
)!;

/** A publish with its content, whole and true to itself in most cases. */
const publishes: Arbitrary<Buffer> = fc
  .record({
    channel: channels,
    values: valuesOf(publishMethod.fields),
    flagsAndValues: fc.oneof(fc.constant(Buffer.alloc(2)), damaged(properties)),
    body: fc.oneof(fc.constant(0), fc.nat(300), fc.constantFrom(4088, 5000, 200_000)),
    claimed: fc.oneof(
      { weight: 12, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constantFrom(-1, 1, 2 ** 27, 2 ** 27 + 1, 2 ** 40) },
    ),
    classId: fc.oneof(
      { weight: 30, arbitrary: fc.constant(60) },
      { weight: 1, arbitrary: fc.constantFrom(0, 10, 90, 65_535) },
    ),
  })
  .map(({ channel, values, flagsAndValues, body, claimed, classId }) => {
    const size = unsigned(8, Math.max(0, body + claimed));
    const step = 4088;
    const bodies = Array.from({ length: Math.ceil(body / step) }, (_, i) =>
      rawFrame(FRAME_BODY, channel, Buffer.alloc(Math.min(step, body - i * step), 'b')),
    );
    return Buffer.concat([
      rawFrame(FRAME_METHOD, channel, methodPayload(publishMethod.id, values)),
      rawFrame(FRAME_HEADER, channel, headerPayload(classId, size, flagsAndValues)),
      ...bodies,
    ]);
  });

const strayFrames: Arbitrary<Buffer> = fc.oneof(
  channels.map((channel) => rawFrame(FRAME_HEARTBEAT, channel % 2, Buffer.alloc(0))),
  fc
    .tuple(channels, WIRE_VALUES.longlong as Arbitrary<Buffer>, damaged(properties))
    .map(([channel, size, flags]) =>
      rawFrame(FRAME_HEADER, channel, headerPayload(60, size, flags)),
    ),
  fc
    .tuple(channels, fc.uint8Array({ maxLength: 20 }))
    .map(([channel, octets]) => rawFrame(FRAME_BODY, channel, Buffer.from(octets))),
  fc
    .tuple(fc.nat(255), channels, fc.uint8Array({ maxLength: 20 }))
    .map(([type, channel, octets]) => rawFrame(type, channel, Buffer.from(octets))),
  fc
    .tuple(channels, fc.nat(0xffff_ffff))
    .map(([channel, id]) => rawFrame(FRAME_METHOD, channel, unsigned(4, id))),
);

/** After these nothing is a frame any more. */
const brokenFrames: Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((octets) => Buffer.from(octets)),
  fc
    .tuple(fc.constantFrom(FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT), channels)
    .map(([type, channel]) =>
      Buffer.concat([unsigned(1, type), unsigned(2, channel), unsigned(4, 0xffff_fff0)]),
    ),
  fc.nat(255).map((end) => withOctet(rawFrame(FRAME_HEARTBEAT, 0, Buffer.alloc(0)), 7, end)),
);

const anyFrames: Arbitrary<Buffer> = fc.oneof(
  { weight: 100, arbitrary: methodFrames(lively) },
  { weight: 40, arbitrary: publishes },
  { weight: 2, arbitrary: methodFrames(deadly) },
  { weight: 1, arbitrary: methodFrames(SERVER_METHODS) },
  { weight: 3, arbitrary: strayFrames },
  { weight: 1, arbitrary: brokenFrames },
);

/** How far the session is a proper one; from there on it is random. */
const prologues: Arbitrary<Buffer[]> = fc
  .record({
    steps: fc.oneof(
      { weight: 20, arbitrary: fc.constant(4 + CHANNELS) },
      { weight: 3, arbitrary: fc.nat(4 + CHANNELS) },
    ),
    frameMax: fc.constantFrom(4096, 131_072),
  })
  .map(({ steps, frameMax }) =>
    [
      PROTOCOL_HEADER,
      methodFrame('connection.start-ok', 0, {
        clientProperties: PRODUCTS,
        response: encodePlain('guest', 'guest'),
      }),
      methodFrame('connection.tune-ok', 0, { frameMax }),
      methodFrame('connection.open', 0, {}),
      ...Array.from({ length: CHANNELS }, (_, i) => methodFrame('channel.open', i + 1, {})),
    ].slice(0, steps),
  );

/** Methods of the handshake with other values than they should have. */
const handshakeFrames: Arbitrary<Buffer> = methodFrames(
  CLIENT_METHODS.filter(({ id }) =>
    [CONNECTION_START_OK_ID, CONNECTION_TUNE_OK_ID, CONNECTION_OPEN_ID].includes(id),
  ),
);

const pieceSizes: Arbitrary<readonly number[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.nat(60).map((n) => n + 1),
      { minLength: 1, maxLength: 5 },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.nat(5000).map((n) => n + 1),
      { minLength: 1, maxLength: 5 },
    ),
  },
);

/** How the bytes of any session are cut, and how it ends. */
export const manners: Arbitrary<Pick<FuzzCase, 'pieceSizes' | 'leaving'>> = fc.record({
  pieceSizes,
  leaving: fc.oneof(
    { weight: 6, arbitrary: fc.constant('close' as const) },
    { weight: 1, arbitrary: fc.constant('reset' as const) },
  ),
});

/** The same for what never becomes a session of AMQP, or perhaps does not. */
export const departures: Arbitrary<Pick<FuzzCase, 'pieceSizes' | 'leaving'>> = fc.record({
  pieceSizes,
  leaving: fc.oneof(
    { weight: 6, arbitrary: fc.constant('end' as const) },
    { weight: 1, arbitrary: fc.constant('reset' as const) },
  ),
});

/** Sessions made from the metadata. */
export const structuredCases: Arbitrary<FuzzCase> = fc
  .tuple(
    prologues,
    fc.oneof(
      { weight: 12, arbitrary: fc.array(anyFrames, { maxLength: 40, size: 'max' }) },
      { weight: 1, arbitrary: fc.array(handshakeFrames, { maxLength: 3 }) },
    ),
    manners,
  )
  .map(([prologue, frames, how]) => ({ door: 'amqp', frames: [...prologue, ...frames], ...how }));
