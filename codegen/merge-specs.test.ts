import t from 'tap';
import { mergeSpecs } from './merge-specs.ts';
import { buildModel, type MethodModel, type ProtocolModel } from './model.ts';
import { readSpec } from './read-spec.ts';

const BASE = `
  <constant name="not-found" value="404" class="soft-error"/>
  <domain name="bit" type="bit"/>
  <domain name="name" type="shortstr"/>
  <class name="thing" handler="channel" index="10">
    <field name="color" type="shortstr"/>
    <field name="reserved" type="shortstr" reserved="1"/>
    <method name="ask" index="10">
      <chassis name="server" implement="MUST"/>
      <field name="reserved-1" type="short" reserved="1"/>
      <field name="name" domain="name"/>
      <field name="reserved-2" type="bit" reserved="1"/>
      <field name="last" domain="bit"/>
    </method>
    <method name="ask-ok" synchronous="1" index="11"><chassis name="client" implement="MUST"/></method>
  </class>`;

function spec(body: string, file: string, attributes = ''): ReturnType<typeof readSpec> {
  return readSpec(`<amqp major="0" minor="9" revision="1"${attributes}>${body}</amqp>`, file);
}

function merged(...overlays: readonly string[]): ProtocolModel {
  const files = overlays.map((overlay, i) => spec(overlay, `over${i + 1}.xml`));
  return buildModel(mergeSpecs(spec(BASE, 'base.xml', ' port="1234"'), files));
}

function method(model: ProtocolModel, name: string): MethodModel {
  const found = model.classes.flatMap(({ methods }) => methods).find((m) => m.name === name);
  if (found === undefined) throw new Error(`there is no method ${name}`);
  return found;
}

t.test('an overlay adds constants, domains, classes and methods', (t) => {
  const model = merged(
    `<constant name="no-route" value="312" class="soft-error"/>
     <domain name="flag" type="bit"/>
     <class name="other" index="20">
       <method name="tell" index="1"><chassis name="server" implement="MAY"/><field name="x" domain="flag"/></method>
     </class>`,
    `<class name="thing"  index="10">
       <method name="shout" index="20"><chassis name="client" implement="MAY"/></method>
     </class>`,
  );
  t.same(
    model.constants.map(({ name }) => name),
    ['not-found', 'no-route'],
  );
  t.same(
    model.classes.map(({ name, methods }) => [name, ...methods.map((m) => m.name)]),
    [
      ['thing', 'ask', 'ask-ok', 'shout'],
      ['other', 'tell'],
    ],
  );
  t.equal(model.port, 1234);
  t.end();
});

t.test(
  'an overlay gives a method another direction, a response and what the base leaves out',
  (t) => {
    const model = merged(
      `<class name="thing" index="10">
       <method name="ask" synchronous="1" index="10">
         <response name="ask-ok"/>
       </method>
       <method name="ask-ok" index="11"><chassis name="server" implement="MAY"/></method>
     </class>`,
    );
    t.match(method(model, 'ask'), { synchronous: true, responses: ['ask-ok'] });
    t.match(method(model, 'ask-ok'), { toServer: true, toClient: true });
    t.end();
  },
);

t.test('an overlay puts a field in the place of a reserved one, in methods and properties', (t) => {
  const model = merged(
    `<class name="thing" index="10">
       <field name="size" domain="name" replaces="reserved"/>
       <field name="shape" domain="name"/>
       <method name="ask" index="10"><field name="loud" domain="bit" replaces="reserved-2"/></method>
     </class>`,
  );
  t.same(
    method(model, 'ask').fields.map(({ name, reserved }) => `${name} ${reserved}`),
    ['reserved-1 true', 'name false', 'loud false', 'last false'],
  );
  t.same(
    model.classes[0]?.properties.map(({ name }) => name),
    ['color', 'size', 'shape'],
  );
  t.end();
});

function inClass(content: string): string {
  return `<class name="thing" index="10">${content}</class>`;
}

function inMethod(content: string): string {
  return inClass(`<method name="ask" index="10">${content}</method>`);
}

const CONFLICTS: readonly (readonly [string, string, RegExp])[] = [
  [
    'a constant again',
    '<constant name="not-found" value="404" class="soft-error"/>',
    /over1\.xml:1: constant not-found: is already there \(constant not-found at base\.xml:2\)/,
  ],
  ['a domain again', '<domain name="name" type="longstr"/>', /domain name: is already there/],
  [
    'a property again',
    inClass('<field name="color" type="shortstr"/>'),
    /class thing, field color: is already/,
  ],
  [
    'another index for a class',
    '<class name="thing" index="11"/>',
    /class thing: attribute 'index' is '11', but '10' in class thing at base\.xml:5/,
  ],
  [
    'another index for a method',
    inClass('<method name="ask" index="12"/>'),
    /class thing, method ask: attribute 'index' is '12', but '10'/,
  ],
  [
    'a flag that the base gives otherwise',
    inClass('<method name="ask-ok" synchronous="0" index="11"/>'),
    /method ask-ok: attribute 'synchronous' is '0', but '1'/,
  ],
  [
    'a chassis again',
    inMethod('<chassis name="server" implement="MAY"/>'),
    /class thing, method ask, chassis server: is already there/,
  ],
  [
    'a new field in an old method',
    inMethod('<field name="extra" domain="bit"/>'),
    /method ask, field extra: a new field would change the method on the wire/,
  ],
  [
    'a field again',
    inMethod('<field name="name" domain="name"/>'),
    /method ask, field name: is already there/,
  ],
  [
    'a field for a reserved one of another type',
    inMethod('<field name="loud" domain="bit" replaces="reserved-1"/>'),
    /field loud: is of type bit, but 'reserved-1' is of type short/,
  ],
  [
    'a field for one that is not reserved',
    inMethod('<field name="loud" domain="bit" replaces="last"/>'),
    /field loud: replaces 'last', which is not reserved/,
  ],
  [
    'a field for one that does not exist',
    inMethod('<field name="loud" domain="bit" replaces="reserved-9"/>'),
    /field loud: replaces 'reserved-9', which class thing, method ask at base\.xml:8 does not have/,
  ],
  [
    'a field with a name that another one has',
    inMethod('<field name="last" domain="bit" replaces="reserved-2"/>'),
    /field last: duplicate name 'last'/,
  ],
  [
    'a replacement in a method of its own',
    inClass(
      '<method name="new" index="30"><chassis name="server" implement="MAY"/>' +
        '<field name="a" domain="bit" replaces="b"/></method>',
    ),
    /method new, field a: replaces a field, but/,
  ],
  [
    'the index of another method',
    inClass('<method name="new" index="11"><chassis name="server" implement="MAY"/></method>'),
    /method new: duplicate index '11', first in class thing, method ask-ok at base\.xml/,
  ],
];

for (const [what, overlay, message] of CONFLICTS) {
  t.test(`an overlay may not give ${what}`, (t) => {
    t.throws(() => merged(overlay), { name: 'SpecError', message });
    t.end();
  });
}

t.test('an overlay is of the same protocol version', (t) => {
  const overlay = readSpec('<amqp major="0" minor="10" revision="1"/>', 'over.xml');
  t.throws(() => mergeSpecs(spec(BASE, 'base.xml'), [overlay]), {
    message: /over\.xml:1: amqp: attribute 'minor' is '10', but '9'/,
  });
  t.end();
});

t.test('a second overlay meets what the first one added', (t) => {
  const domain = '<domain name="flag" type="bit"/>';
  t.throws(() => merged(domain, domain), {
    message: /over2\.xml.*\(domain flag at over1\.xml:1\)/,
  });
  t.end();
});
