import t from 'tap';
import { buildModel } from './model.ts';
import { type Plan, planCode } from './plan.ts';
import { readSpec } from './read-spec.ts';

function plan(body: string): Plan {
  const xml = `<amqp major="0" minor="9" revision="1">${body}</amqp>`;
  return planCode(buildModel(readSpec(xml, 'f.xml')), ['f.xml']);
}

const CHASSIS = '<chassis name="server" implement="MUST"/>';

function methodPlan(fields: string): Plan['methods'][number] {
  const method = plan(
    `<class name="k" index="2"><method name="m" index="3">${CHASSIS}${fields}</method></class>`,
  ).methods[0];
  if (method === undefined) throw new Error('there is no method');
  return method;
}

t.test('fixed sizes are summed up and offsets are constants', (t) => {
  const method = methodPlan(
    '<field name="a" type="octet"/><field name="b" type="short" reserved="1"/>' +
      '<field name="c" type="long"/><field name="d" type="longlong"/>',
  );
  t.match(method, { id: 2 * 65536 + 3, sizeConstant: 12 + 15, sizeTerms: [], writeEnd: 'at + 26' });
  t.same(
    method.writes.map(({ writer, position, value }) => `${writer} ${position} ${value}`),
    ['writeU8 at + 11 m.a', 'writeU16 at + 12 0', 'writeU32 at + 14 m.c', 'writeU64 at + 18 m.d'],
  );
  t.end();
});

t.test('behind each string offsets begin anew, but not behind a reserved one', (t) => {
  const method = methodPlan(
    '<field name="a" type="shortstr" reserved="1"/><field name="b" type="shortstr"/>' +
      '<field name="c" type="short"/><field name="d" type="table" reserved="1"/>' +
      '<field name="e" type="table"/><field name="f" type="longstr"/>',
  );
  t.equal(method.sizeConstant, 12 + 1 + 1 + 2 + 4 + 0 + 4);
  t.same(method.sizeTerms, ['Buffer.byteLength(m.b)', 'sizeOfFieldTable(m.e)', 'm.f.length']);
  t.same(
    method.writes.map((step) => `${step.result}${step.writer} ${step.position} ${step.value}`),
    [
      'writeU8 at + 11 0',
      'const p1 = writeShortstr at + 12 m.b',
      'writeU16 p1 m.c',
      'writeU32 p1 + 2 0',
      'const p2 = encodeFieldTable p1 + 6 m.e',
      'const p3 = writeLongstr p2 m.f',
    ],
  );
  t.equal(method.writeEnd, 'p3');
  t.end();
});

t.test('bits are packed lowest first, eight to an octet, and only with their neighbours', (t) => {
  const bits = (names: string): string =>
    [...names].map((name) => `<field name="${name}" type="bit"/>`).join('');
  const method = methodPlan(
    `${bits('abcdefghi')}<field name="n" type="octet"/>${bits('j')}` +
      '<field name="k" type="bit" reserved="1"/>',
  );
  t.equal(method.sizeConstant, 12 + 2 + 1 + 1);
  t.same(
    method.writes.map(({ position, value }) => `${position}: ${value}`),
    [
      `at + 11: ${[...'abcdefgh'].map((name, i) => `(m.${name} ? ${1 << i} : 0)`).join(' | ')}`,
      'at + 12: m.i ? 1 : 0',
      'at + 13: m.n',
      'at + 14: m.j ? 1 : 0',
    ],
  );
  t.same(method.reads, [
    'const bits = r.u8();',
    'const bits2 = r.u8();',
    'const n = r.u8();',
    'const bits3 = r.u8();',
  ]);
  t.end();
});

t.test('a field whose name is taken in generated functions gets another local', (t) => {
  const method = methodPlan(
    ['arguments', 'r', 'bits', 'default', 'plain']
      .map((name) => `<field name="${name}" type="octet"/>`)
      .join(''),
  );
  t.same(method.entries, [
    'arguments: argumentsValue',
    'r: rValue',
    'bits: bitsValue',
    'default: defaultValue',
    'plain',
  ]);
  t.end();
});

t.test('hot methods come first in the dispatch and have accessors, others have none', (t) => {
  const { toServer } = plan(
    `<class name="basic" index="60">
       <method name="qos" index="10">${CHASSIS}</method>
       <method name="ack" index="80">${CHASSIS}<field name="delivery-tag" type="longlong"/></method>
       <method name="publish" index="40">${CHASSIS}</method>
     </class>`,
  );
  t.same(
    toServer.map(({ name, accessors }) => `${name} ${accessors.map((a) => a.name).join(' ')}`),
    [
      'basic.publish basicPublishEndAt',
      'basic.ack basicAckDeliveryTag basicAckEndAt',
      'basic.qos ',
    ],
  );
  t.end();
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'two methods that would get one type',
    `<class name="a" index="1"><method name="b-c" index="1">${CHASSIS}</method></class>` +
      `<class name="a-b" index="2"><method name="c" index="1">${CHASSIS}</method></class>`,
    /class a-b, method c: would be generated as 'ABC', which is taken by method a\.b-c/,
  ],
  [
    'a class with the name of a common file',
    '<class name="index" index="1"/>',
    /class index: would be generated as 'index', which is taken by the generator/,
  ],
  [
    'a method with the name of the properties',
    `<class name="a" index="1"><field name="p" type="bit"/>
       <method name="properties" index="1">${CHASSIS}</method></class>`,
    /method properties: would be generated as 'AProperties'/,
  ],
  [
    'a bit among the properties',
    '<class name="a" index="1"><field name="p" type="bit"/></class>',
    /class a: property 'p' is a bit, which is not supported/,
  ],
  [
    'more properties than flags',
    `<class name="a" index="1">${Array.from({ length: 16 }, (_, i) => `<field name="p${i}" type="octet"/>`).join('')}</class>`,
    /class a: has 16 properties, at most 15 are supported/,
  ],
];

for (const [what, body, message] of REFUSED) {
  t.test(`${what} is refused by name`, (t) => {
    t.throws(() => plan(body), { name: 'SpecError', message });
    t.end();
  });
}
