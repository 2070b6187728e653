import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import * as protocol from '../index.ts';
import {
  type AnyMethod,
  BASIC_ACK_ID,
  BASIC_DELIVER_ID,
  BASIC_GET_ID,
  BASIC_GET_OK_ID,
  BASIC_NACK_ID,
  BASIC_PUBLISH_ID,
  BASIC_PUBLISH_IMMEDIATE_BIT,
  BASIC_PUBLISH_MANDATORY_BIT,
  BASIC_REJECT_ID,
  basicPublishBitsAt,
  basicPublishExchangeAt,
  basicPublishRoutingKeyAt,
  encodeBasicPublish,
  METHODS,
} from '../index.ts';
import { encodedMethod, methodsOf } from './arbitraries.ts';

const ARGUMENTS_AT = 11;
const HOT = [
  BASIC_PUBLISH_ID,
  BASIC_DELIVER_ID,
  BASIC_ACK_ID,
  BASIC_NACK_ID,
  BASIC_REJECT_ID,
  BASIC_GET_ID,
  BASIC_GET_OK_ID,
];

/** An accessor by its name: those of places that are constant take the offset alone. */
function access(name: string, buf: Buffer, at: number): unknown {
  const accessor: unknown = Reflect.get(protocol, name);
  if (typeof accessor !== 'function') throw new Error(`there is no accessor ${name}`);
  const values = accessor.length === 1 ? [at] : [buf, at];
  return Reflect.apply(accessor, null, values);
}

function agrees(method: AnyMethod, at: number): boolean {
  const prefix = method.name.replace(/[.-](.)/g, (_, letter: string) => letter.toUpperCase());
  const frame = encodedMethod(1, method);
  const buf = Buffer.concat([Buffer.alloc(at, 0xff), frame, Buffer.alloc(3, 0xff)]);
  const begin = at + ARGUMENTS_AT;
  if (access(`${prefix}EndAt`, buf, begin) !== at + frame.length - 1) return false;
  return Object.entries(method.args).every(([property, expected]) => {
    const name = `${prefix}${property.charAt(0).toUpperCase()}${property.slice(1)}`;
    if (typeof expected !== 'string') return access(name, buf, begin) === expected;
    const p = Number(access(`${name}At`, buf, begin));
    return buf.toString('utf8', p + 1, p + 1 + buf[p]!) === expected;
  });
}

for (const info of METHODS.filter(({ id }) => HOT.includes(id))) {
  t.test(`${info.className}.${info.methodName} reads the same in place as decoded`, (t) => {
    checkProperty(t, fc.property(methodsOf(info), fc.nat(5), agrees));
    t.end();
  });
}

t.test('all seven hot methods have accessors', (t) => {
  t.equal(METHODS.filter(({ id }) => HOT.includes(id)).length, 7);
  t.end();
});

t.test('the bits of a publish are told apart by their masks', (t) => {
  const buf = Buffer.alloc(100);
  for (const mandatory of [false, true]) {
    for (const immediate of [false, true]) {
      encodeBasicPublish(buf, 0, 1, { exchange: 'x', routingKey: 'key', mandatory, immediate });
      const bits = buf[basicPublishBitsAt(buf, ARGUMENTS_AT)]!;
      t.equal((bits & BASIC_PUBLISH_MANDATORY_BIT) !== 0, mandatory);
      t.equal((bits & BASIC_PUBLISH_IMMEDIATE_BIT) !== 0, immediate);
    }
  }
  t.equal(basicPublishExchangeAt(ARGUMENTS_AT), 13);
  t.equal(basicPublishRoutingKeyAt(buf, ARGUMENTS_AT), 15);
  t.end();
});

t.test('lengths that pass the end of the buffer give an end that is no offset of it', (t) => {
  const buf = Buffer.alloc(100);
  const end = encodeBasicPublish(buf, 0, 1, {
    exchange: 'exchange',
    routingKey: 'key',
    mandatory: false,
    immediate: false,
  });
  const exact = buf.subarray(0, end);
  exact[basicPublishExchangeAt(ARGUMENTS_AT)] = 255;
  t.not(protocol.basicPublishEndAt(exact, ARGUMENTS_AT), end - 1);
  t.end();
});
