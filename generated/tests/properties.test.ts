import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { wireErrorOf } from '../../codegen/runtime/testing/wire-error-of.ts';
import {
  BASIC_HEADERS_FLAG,
  type BasicProperties,
  BasicPropertiesView,
  ByteReader,
  CONTENT_HEADER_FIXED_SIZE,
  contentHeaderBodySize,
  contentHeaderClassId,
  decodeBasicProperties,
  EMPTY_TABLE,
  encodeBasicProperties,
  readU32,
  sizeOfBasicProperties,
  toFieldTable,
} from '../index.ts';
import { basicProperties, encodedHeader } from './arbitraries.ts';

const FRAME_HEADER_SIZE = 7;

function encoded(properties: BasicProperties): Buffer {
  const buf = Buffer.alloc(sizeOfBasicProperties(properties));
  encodeBasicProperties(buf, 0, properties);
  return buf;
}

/** What the view must give for these properties. */
function viewed(properties: BasicProperties): unknown {
  return {
    contentType: properties.contentType ?? null,
    contentEncoding: properties.contentEncoding ?? null,
    headers: properties.headers ?? EMPTY_TABLE,
    deliveryMode: properties.deliveryMode ?? 0,
    priority: properties.priority ?? -1,
    correlationId: properties.correlationId ?? null,
    replyTo: properties.replyTo ?? null,
    expiration: properties.expiration ?? null,
    messageId: properties.messageId ?? null,
    timestamp: properties.timestamp ?? -1,
    type: properties.type ?? null,
    userId: properties.userId ?? null,
    appId: properties.appId ?? null,
    clusterId: properties.clusterId ?? null,
  };
}

function readAll(view: BasicPropertiesView): unknown {
  return {
    contentType: view.contentType,
    contentEncoding: view.contentEncoding,
    headers: view.headers(),
    deliveryMode: view.deliveryMode,
    priority: view.priority,
    correlationId: view.correlationId,
    replyTo: view.replyTo,
    expiration: view.expiration,
    messageId: view.messageId,
    timestamp: view.timestamp,
    type: view.type,
    userId: view.userId,
    appId: view.appId,
    clusterId: view.clusterId,
  };
}

t.test('properties come back as they were encoded, in the size told before', (t) => {
  checkProperty(
    t,
    fc.property(basicProperties, fc.nat(3), (properties, at) => {
      const size = sizeOfBasicProperties(properties);
      const buf = Buffer.alloc(at + size + 2, 0xee);
      const end = encodeBasicProperties(buf, at, properties);
      const decoded = decodeBasicProperties(new ByteReader(buf, at, end));
      return end === at + size && buf[end] === 0xee && isDeepStrictEqual(decoded, properties);
    }),
  );
  t.end();
});

t.test('the lazy view gives what decoding gives, in any order', (t) => {
  const view = new BasicPropertiesView();
  checkProperty(
    t,
    fc.property(basicProperties, fc.nat(3), (properties, at) => {
      const octets = encoded(properties);
      const buf = Buffer.concat([Buffer.alloc(at, 0xee), octets, Buffer.alloc(2, 0xee)]);
      view.reset(buf, at, at + octets.length);
      return view.endAt() === view.end && isDeepStrictEqual(readAll(view), viewed(properties));
    }),
  );
  t.end();
});

t.test('the view tells where the header table lies, and that it is there', (t) => {
  const view = new BasicPropertiesView();
  const headers = toFieldTable({ a: 1 });
  const octets = encoded({ contentType: 'text/plain', headers });
  view.reset(octets, 0, octets.length);
  t.not(view.flags & BASIC_HEADERS_FLAG, 0);
  t.equal(view.headersAt(), 2 + 11);
  t.equal(readU32(octets, view.headersAt()), 7);
  const none = encoded({ contentType: 'text/plain' });
  view.reset(none, 0, none.length);
  t.equal(view.headersAt(), -1);
  t.end();
});

t.test('properties cut short or followed by octets are a frame error', (t) => {
  checkProperty(
    t,
    fc.property(basicProperties, (properties) => {
      const octets = encoded(properties);
      for (let end = 0; end < octets.length; end++) {
        const r = new ByteReader(octets, 0, end);
        if (wireErrorOf(() => decodeBasicProperties(r)).replyCode !== 501) return false;
      }
      const longer = new ByteReader(Buffer.concat([octets, Buffer.alloc(1)]));
      return wireErrorOf(() => decodeBasicProperties(longer)).replyCode === 501;
    }),
    { numRuns: 20 },
  );
  t.end();
});

t.test('a view on properties cut short refuses what lies beyond, and its end tells', (t) => {
  const view = new BasicPropertiesView();
  checkProperty(
    t,
    fc.property(basicProperties, (properties) => {
      const octets = encoded(properties);
      for (let end = 2; end < octets.length; end++) {
        view.reset(octets, 0, end);
        if (view.endAt() === end) return false;
        wireErrorOf(() => readAll(view));
        // The same where the buffer itself ends there.
        view.reset(Buffer.from(octets.subarray(0, end)), 0, end);
        if (view.endAt() === end) return false;
        wireErrorOf(() => readAll(view));
      }
      return true;
    }),
    { numRuns: 20 },
  );
  t.throws(() => view.reset(Buffer.alloc(1), 0, 1), { name: 'WireError' });
  t.end();
});

t.test('flags of properties that do not exist are a frame error', (t) => {
  for (const flags of [0x0001, 0x0002, 0x8001]) {
    const octets = Buffer.from([flags >> 8, flags & 0xff, 0, 0, 0]);
    t.match(
      wireErrorOf(() => decodeBasicProperties(new ByteReader(octets))),
      { replyCode: 501, message: /unknown properties/, offset: 0 },
    );
    t.match(
      wireErrorOf(() => new BasicPropertiesView().reset(octets, 0, 5)),
      { replyCode: 501 },
    );
  }
  t.end();
});

t.test('a text property that is not UTF-8 is a frame error when it is read', (t) => {
  const octets = encoded({ contentType: 'x', expiration: '1' });
  octets[3] = 0xff;
  t.match(
    wireErrorOf(() => decodeBasicProperties(new ByteReader(octets))),
    { replyCode: 501 },
  );
  const view = new BasicPropertiesView().reset(octets, 0, octets.length);
  t.equal(view.expiration, '1');
  t.match(
    wireErrorOf(() => view.contentType),
    { message: 'Malformed UTF-8 in shortstr' },
  );
  t.end();
});

t.test('a content header frame carries class, body size and properties', (t) => {
  const frame = encodedHeader(7, 2 ** 40, { deliveryMode: 2 });
  t.equal(
    frame.toString('hex'),
    '0200070000000f' + '003c0000' + '0000010000000000' + '100002' + 'ce',
  );
  t.equal(contentHeaderClassId(frame, FRAME_HEADER_SIZE), 60);
  t.equal(contentHeaderBodySize(frame, FRAME_HEADER_SIZE), 2 ** 40);
  const at = FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE;
  const properties = decodeBasicProperties(new ByteReader(frame, at, frame.length - 1));
  t.same(properties, { deliveryMode: 2 });
  t.end();
});
