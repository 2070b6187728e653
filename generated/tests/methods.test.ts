import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { wireErrorOf } from '../../codegen/runtime/testing/wire-error-of.ts';
import {
  type AnyMethod,
  ByteReader,
  decodeMethod,
  encodeMethod,
  METHODS,
  type MethodInfo,
  readU16,
  readU32,
  sizeOfMethod,
} from '../index.ts';
import { encodedMethod, methodsOf } from './arbitraries.ts';

const ARGUMENTS_AT = 11;

for (const info of METHODS) {
  const name = `${info.className}.${info.methodName}`;
  t.test(`${name} comes back as it was encoded, at any offset, in the size told before`, (t) => {
    checkProperty(
      t,
      fc.property(methodsOf(info), fc.nat(0xffff), fc.nat(3), (method, channel, at) => {
        const size = sizeOfMethod(method);
        const buf = Buffer.alloc(at + size + 2, 0xee);
        const end = encodeMethod(buf, at, channel, method);
        return (
          end === at + size &&
          buf[at] === 1 &&
          readU16(buf, at + 1) === channel &&
          readU32(buf, at + 3) === size - 8 &&
          readU32(buf, at + 7) === info.id &&
          buf[end - 1] === 0xce &&
          buf[end] === 0xee &&
          isDeepStrictEqual(decode(buf.subarray(at, end)), method)
        );
      }),
      { numRuns: 50 },
    );
    t.end();
  });

  t.test(`${name} cut short or followed by octets is a frame error`, (t) => {
    checkProperty(
      t,
      fc.property(methodsOf(info), (method) => refusesOtherLengths(info, method)),
      { numRuns: 5 },
    );
    t.end();
  });
}

t.test('an id that no method has is told, not thrown', (t) => {
  t.equal(decodeMethod(60 * 65536 + 999, new ByteReader()), null);
  t.end();
});

t.test('reserved fields are written as zero or empty and stepped over whatever they hold', (t) => {
  const method: AnyMethod = {
    id: 655_400,
    name: 'connection.open',
    args: { virtualHost: '/' },
  };
  const frame = encodedMethod(0, method);
  t.equal(frame.toString('hex', ARGUMENTS_AT), '012f0000ce');
  const filled = Buffer.from('012f0378797a01', 'hex');
  t.same(decodeMethod(method.id, new ByteReader(filled)), method);
  t.end();
});

t.test('a run of bits shares an octet, the first bit lowest', (t) => {
  const frame = encodedMethod(1, {
    id: 3_276_810,
    name: 'queue.declare',
    args: {
      queue: 'q',
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      noWait: true,
      arguments: new Map(),
    },
  });
  t.equal(
    frame.toString('hex'),
    '0100010000000d' + '0032000a' + '0000' + '0171' + '12' + '00000000' + 'ce',
  );
  t.end();
});

function refusesOtherLengths(info: MethodInfo, method: AnyMethod): boolean {
  const frame = encodedMethod(1, method);
  const end = frame.length - 1;
  for (let cut = ARGUMENTS_AT; cut < end; cut++) {
    const r = new ByteReader(frame, ARGUMENTS_AT, cut);
    if (wireErrorOf(() => decodeMethod(info.id, r)).replyCode !== 501) return false;
  }
  const r = new ByteReader(frame, ARGUMENTS_AT, end + 1);
  return wireErrorOf(() => decodeMethod(info.id, r)).replyCode === 501;
}

function decode(frame: Buffer): AnyMethod | null {
  return decodeMethod(readU32(frame, 7), new ByteReader(frame, ARGUMENTS_AT, frame.length - 1));
}
