import t from 'tap';
import { FrameScanner, WireError } from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import { anyFrame, bodyFrames, contentHeader, publishMethod } from '../testing/client-frames.ts';
import { ContentAssembly, locatePublish } from './content-assembly.ts';
import { SlabPool } from './output.ts';
import { ProtocolError } from './protocol-error.ts';

const CHANNEL = 1;
const FRAME_MAX = 4096;
const BODY_MAX = 10_000;
const FRAME_METHOD = 1;
const FRAME_HEADER = 2;
const FRAME_BODY = 3;

/** For bodies that all lie below the limit. */
const NO_LARGE_BODIES = {
  create: () => {
    throw new Error('no body of this test is large');
  },
};

/** A publish as it is understood, and how it was found. */
interface Taken {
  readonly envelope: string;
  readonly properties: string;
  readonly body: string;
  readonly bits: number;
}

/** Takes publishes from a stream that comes in pieces, in place where that works, as a connection does. */
function takeAll(pieces: readonly Buffer[]): { taken: Taken[]; inPlace: number } {
  const content = new ContentAssembly(NO_LARGE_BODIES, new SlabPool());
  const taken: Taken[] = [];
  let inPlace = 0;
  const finish = () => {
    const { parts, bits } = content;
    const text = (area: ByteArea, at: number, size: number) =>
      area.buf.toString('latin1', at, at + size);
    taken.push({
      envelope: text(parts.head, parts.envelopeAt, parts.envelopeSize),
      properties: text(parts.head, parts.propertiesAt, parts.propertiesSize),
      body: text(parts.body, parts.bodyAt, parts.bodySize),
      bits,
    });
    content.reset();
  };
  const scanner = new FrameScanner(
    {
      onFrame(type, _channel, buf, start, end, limit) {
        if (type === FRAME_METHOD) {
          const area = new ByteArea(buf);
          const next = locatePublish(area, start, end, limit, CHANNEL, FRAME_MAX, content);
          if (next > 0) {
            inPlace++;
            finish();
            return next;
          }
          content.begin(buf, start + 4, end);
        } else if (type === FRAME_HEADER) {
          if (content.header(buf, start, end, BODY_MAX)) finish();
        } else if (content.body(buf, start, end)) finish();
        return end + 1;
      },
      onBodyPiece(_channel, buf, start, end, left) {
        if (content.body(buf, start, end) && left === 0) finish();
      },
    },
    FRAME_MAX,
  );
  for (const piece of pieces) scanner.scan(piece, 0, piece.length);
  return { taken, inPlace };
}

function publishOf(body: string, frameMax = FRAME_MAX): Buffer {
  return Buffer.concat([
    publishMethod(CHANNEL, { exchange: 'ex', routingKey: 'key', mandatory: true }),
    contentHeader(CHANNEL, body.length, Buffer.from([0x10, 0, 2])),
    bodyFrames(CHANNEL, Buffer.from(body), frameMax),
  ]);
}

const EXPECTED: Taken = {
  envelope: '\x02ex\x03key',
  properties: '\x10\0\x02',
  body: 'the body',
  bits: 1,
};

t.test('a publish that lies whole in its piece is found in place', async (t) => {
  t.same(takeAll([publishOf('the body')]), { taken: [EXPECTED], inPlace: 1 });
  t.same(takeAll([publishOf('')]), { taken: [{ ...EXPECTED, body: '' }], inPlace: 1 });
  const three = ['a', 'b', 'c'].map((body) => publishOf(body));
  t.match(takeAll([Buffer.concat(three)]), {
    taken: [{ body: 'a' }, { body: 'b' }, { body: 'c' }],
    inPlace: 3,
  });
});

t.test('a publish cut anywhere gives the same parts', async (t) => {
  for (const [name, whole] of [
    ['one body frame', publishOf('the body')],
    ['several body frames', publishOf('the body', 11)],
    ['an empty body', publishOf('')],
  ] as const) {
    const [expected] = takeAll([whole]).taken;
    t.ok(expected, name);
    for (let cut = 1; cut < whole.length; cut++) {
      const { taken } = takeAll([whole.subarray(0, cut), whole.subarray(cut)]);
      t.same(taken, [expected], `${name}, cut at ${cut}`);
    }
    const octets = Array.from(whole, (octet) => Buffer.from([octet]));
    t.same(takeAll(octets).taken, [expected], `${name}, octet by octet`);
  }
});

t.test('a publish that is not plain is not found in place', async (t) => {
  const method = publishMethod(CHANNEL, { routingKey: 'key' });
  const header = contentHeader(CHANNEL, 1);
  const body = bodyFrames(CHANNEL, Buffer.from('x'));
  const changed = (frame: Buffer, at: number, octet: number) => {
    const copy = Buffer.from(frame);
    copy[at] = octet;
    return copy;
  };
  const large = Buffer.alloc(FRAME_MAX + 1);
  const cases: readonly (readonly [string, readonly Buffer[]])[] = [
    ['plain', [method, header, body]],
    ['on another channel from the header on', [method, contentHeader(2, 1), body]],
    ['with its body on another channel', [method, header, bodyFrames(2, Buffer.from('x'))]],
    ['with a body frame before the header', [method, body, header]],
    ['with another class in its header', [method, changed(header, 8, 61), body]],
    ['with a broken end of the header', [method, changed(header, header.length - 1, 0), body]],
    ['with a broken end of the body', [method, header, changed(body, body.length - 1, 0)]],
    ['with a body frame that is too short', [method, contentHeader(CHANNEL, 2), body]],
    ['with a body of more than 32 bits', [method, changed(header, 14, 1), body]],
    [
      'with a frame that is too large',
      [method, contentHeader(CHANNEL, large.length), anyFrame(FRAME_BODY, CHANNEL, large)],
    ],
    ['with a routing key that goes too far', [changed(method, 14, 200), header, body]],
    ['with an exchange that goes too far', [changed(method, 13, 200), header, body]],
    [
      'with a header too short for flags',
      [method, anyFrame(FRAME_HEADER, CHANNEL, Buffer.from(header.subarray(7, 20))), body],
    ],
  ];
  for (const [what, frames] of cases) {
    const area = new ByteArea(Buffer.concat(frames));
    const end = method.length - 1;
    const content = new ContentAssembly(NO_LARGE_BODIES, new SlabPool());
    const { length } = area.buf;
    const next = locatePublish(area, 7, end, length, CHANNEL, FRAME_MAX, content);
    t.equal(next, what === 'plain' ? length : -1, what);
    const limits = Array.from({ length: length - method.length }, (_, i) => method.length + i);
    t.notOk(
      limits.some(
        (limit) => locatePublish(area, 7, end, limit, CHANNEL, FRAME_MAX, content) !== -1,
      ),
      `${what}, cut anywhere`,
    );
  }
});

t.test('what is wrong with a publish is an error of its own kind', async (t) => {
  const content = new ContentAssembly(NO_LARGE_BODIES, new SlabPool());
  const method = publishMethod(CHANNEL, { routingKey: 'key' });
  for (let end = 11; end < method.length - 1; end++) {
    t.throws(() => content.begin(method.subarray(0, end), 11, end), WireError) || t.bailout();
  }
  t.throws(() => content.begin(Buffer.concat([method, method]), 11, method.length + 5), WireError);
  content.begin(method, 11, method.length - 1);
  const header = contentHeader(CHANNEL, 5);
  const other = Buffer.from(header);
  other.writeUInt16BE(61, 7);
  const refused = (buf: Buffer, start: number, end: number) => {
    try {
      content.header(buf, start, end, BODY_MAX);
    } catch (error) {
      if (error instanceof ProtocolError || error instanceof WireError) return error.replyCode;
    }
    return 0;
  };
  t.equal(refused(other, 7, header.length - 1), 505);
  t.equal(refused(header, 7, 12), 501, 'a header without room for a body size');
  t.equal(refused(contentHeader(CHANNEL, BODY_MAX + 1), 7, header.length - 1), 406);
  t.equal(refused(contentHeader(CHANNEL, 2 ** 50), 7, header.length - 1), 406);
  content.header(header, 7, header.length - 1, BODY_MAX);
  t.notOk(content.body(Buffer.from('1234'), 0, 4));
  t.notOk(content.body(Buffer.alloc(0), 0, 0), 'an empty body frame changes nothing');
  t.throws(() => content.body(Buffer.from('56'), 0, 2), WireError);
  t.ok(content.body(Buffer.from('5'), 0, 1));
});
