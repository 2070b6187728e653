import t from 'tap';
import { buildModel, type ProtocolModel } from './model.ts';
import { readSpec } from './read-spec.ts';

function model(body: string, attributes = ''): ProtocolModel {
  const xml = `<amqp major="0" minor="9" revision="1"${attributes}>\n${body}</amqp>`;
  return buildModel(readSpec(xml, 'f.xml'));
}

/** A class with these methods and fields. */
function inClass(content: string): string {
  return `<domain name="bit" type="bit"/><class name="k" index="1">${content}</class>`;
}

function inMethod(content: string): string {
  return inClass(
    `<method name="m" index="1"><chassis name="server" implement="MUST"/>${content}</method>`,
  );
}

t.test('resolves domains, directions, flags and docs', (t) => {
  const { classes } = model(`
    <domain name="tag" type="longlong" label="number of the thing"/>
    <class name="k" index="2" label="things">
      <method name="m" synchronous="1" content="1" deprecated="1" index="7" label="asks">
        <doc>And more.</doc>
        <chassis name="server" implement="MUST"/>
        <response name="m-ok"/>
        <field name="a" domain="tag"/>
        <field name="b" domain="tag" label="another one"/>
        <field name="c" type="table" reserved="1"/>
      </method>
      <method name="m-ok" synchronous="1" index="8"><chassis name="client" implement="MUST"/></method>
    </class>`);
  t.match(classes[0], { name: 'k', index: 2, doc: 'Things.' });
  t.match(classes[0]?.methods[0], {
    name: 'm',
    index: 7,
    synchronous: true,
    content: true,
    deprecated: true,
    toServer: true,
    toClient: false,
    responses: ['m-ok'],
    doc: 'Asks. And more.',
    fields: [
      { name: 'a', type: 'longlong', reserved: false, doc: 'Number of the thing.' },
      { name: 'b', type: 'longlong', reserved: false, doc: 'Another one.' },
      { name: 'c', type: 'table', reserved: true, doc: 'Field c.' },
    ],
  });
  t.end();
});

t.test('classes and methods come in the order of their numbers', (t) => {
  const chassis = '<chassis name="server" implement="MUST"/>';
  const { classes } = model(
    `<class name="b" index="20"/>
     <class name="a" index="10">
       <method name="y" index="2">${chassis}</method><method name="x" index="1">${chassis}</method>
     </class>`,
  );
  t.same(
    classes.map(({ name }) => name),
    ['a', 'b'],
  );
  t.same(
    classes[0]?.methods.map(({ name }) => name),
    ['x', 'y'],
  );
  t.end();
});

t.test(
  'constants with an error class are reply codes with a scope, and so is reply-success',
  (t) => {
    const { constants } = model(
      `<constant name="frame-end" value="206"/>
     <constant name="reply-success" value="200"/>
     <constant name="not-found" value="404" class="soft-error"/>
     <constant name="frame-error" value="501" class="hard-error"/>`,
    );
    t.same(
      constants.map(({ replyScope }) => replyScope),
      [null, 'none', 'channel', 'connection'],
    );
    t.end();
  },
);

t.test('the model is frozen to the last field', (t) => {
  const { classes } = model(inMethod('<field name="a" domain="bit"/>'));
  t.ok(Object.isFrozen(classes));
  t.ok(Object.isFrozen(classes[0]?.methods[0]?.fields[0]));
  t.end();
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'a duplicate class name',
    '<class name="a" index="1"/>\n<class name="a" index="2"/>',
    /f\.xml:3: class a: duplicate name 'a', first in class a at f\.xml:2/,
  ],
  [
    'a duplicate class index',
    '<class name="a" index="1"/><class name="b" index="1"/>',
    /class b: duplicate index '1', first in class a/,
  ],
  [
    'a duplicate method index',
    inClass(
      '<method name="a" index="1"><chassis name="server" implement="MUST"/></method>' +
        '<method name="b" index="1"><chassis name="server" implement="MUST"/></method>',
    ),
    /class k, method b: duplicate index '1', first in class k, method a/,
  ],
  [
    'a duplicate method name',
    inClass(
      '<method name="a" index="1"><chassis name="server" implement="MUST"/></method>' +
        '<method name="a" index="2"><chassis name="server" implement="MUST"/></method>',
    ),
    /class k, method a: duplicate name 'a'/,
  ],
  [
    'a duplicate field',
    inMethod('<field name="a" domain="bit"/><field name="a" domain="bit"/>'),
    /class k, method m, field a: duplicate name 'a'/,
  ],
  [
    'a duplicate constant',
    '<constant name="a" value="1"/><constant name="a" value="2"/>',
    /constant a: duplicate name 'a'/,
  ],
  [
    'a duplicate reply code',
    '<constant name="a" value="404" class="soft-error"/><constant name="b" value="404" class="hard-error"/>',
    /constant b: duplicate value '404', first in constant a/,
  ],
  [
    'a duplicate domain',
    '<domain name="a" type="bit"/><domain name="a" type="long"/>',
    /domain a: duplicate name 'a'/,
  ],
  [
    'an unknown domain',
    inMethod('<field name="a" domain="nonsense"/>'),
    /field a: unknown domain 'nonsense'/,
  ],
  [
    'an unknown type of a domain',
    '<domain name="a" type="word"/>',
    /domain a: unknown type 'word'/,
  ],
  [
    'an unknown type of a field',
    inMethod('<field name="a" type="word"/>'),
    /field a: unknown type 'word'/,
  ],
  [
    'a field without a type',
    inMethod('<field name="a"/>'),
    /field a: has neither a domain nor a type/,
  ],
  [
    'a field with both',
    inMethod('<field name="a" domain="bit" type="bit"/>'),
    /field a: has both a domain and a type/,
  ],
  [
    'a response that is no method',
    inMethod('<response name="m-ok"/>'),
    /class k, method m: response 'm-ok' is no method of class k/,
  ],
  [
    'a response that goes the same way',
    inClass(
      '<method name="m" index="1"><chassis name="server" implement="MUST"/><response name="n"/></method>' +
        '<method name="n" index="2"><chassis name="server" implement="MUST"/></method>',
    ),
    /class k, method m: response 'n' does not go back to the sender/,
  ],
  [
    'a synchronous request without a response',
    inClass(
      '<method name="m" synchronous="1" index="1"><chassis name="server" implement="MUST"/></method>',
    ),
    /class k, method m: is synchronous, but no response is given/,
  ],
  [
    'a method that nobody receives',
    inClass('<method name="m" index="1"/>'),
    /class k, method m: has no chassis/,
  ],
  [
    'an unknown chassis',
    inMethod('<chassis name="proxy" implement="MUST"/>'),
    /class k, method m, chassis proxy: a chassis is server or client/,
  ],
  [
    'an index of zero',
    '<class name="a" index="0"/>',
    /class a: index is '0', a whole number 1 to 65535/,
  ],
  ['an index above 16 bits', '<class name="a" index="65536"/>', /class a: index is '65536'/],
  ['an index that is no number', '<class name="a" index="x"/>', /class a: index is 'x'/],
  [
    'a flag that is no flag',
    inMethod('<field name="a" type="bit" reserved="yes"/>'),
    /reserved is 'yes', 0 or 1/,
  ],
  [
    'a name that is no name',
    '<class name="Big_Name" index="1"/>',
    /name 'Big_Name' is not lower-case/,
  ],
  [
    'an unknown error class',
    '<constant name="a" value="404" class="bad"/>',
    /constant a: class is 'bad', soft-error or hard-error/,
  ],
];

for (const [what, body, message] of REFUSED) {
  t.test(`${what} is refused by name`, (t) => {
    t.throws(() => model(body), { name: 'SpecError', message });
    t.end();
  });
}
