import t from 'tap';
import { readSpec } from './read-spec.ts';

const ROOT = 'major="0" minor="9" revision="1"';

function spec(body: string): string {
  return `<?xml version="1.0"?>\n<amqp ${ROOT}>\n${body}\n</amqp>`;
}

t.test('reads elements, attributes, places and the text of docs', (t) => {
  const root = readSpec(
    spec('<!-- a comment -->\n<class name="a" index="1">\n<doc>one\n  two</doc>\n</class>'),
    'f.xml',
  );
  t.equal(root.tag, 'amqp');
  const owner = root.children[0];
  t.equal(owner?.attributes.get('index'), '1');
  t.equal(owner?.line, 4);
  t.equal(owner?.path, 'class a');
  t.equal(owner?.children[0]?.text, 'one two');
  t.end();
});

t.test('the whole schema of the standard is known, with its docs, rules and scenarios', (t) => {
  const body = `
    <doc type="grammar">text</doc>
    <constant name="c" value="1" class="soft-error" label="l"><doc>d</doc></constant>
    <domain name="d" type="bit" label="l">
      <doc>d</doc><assert check="notnull"/><rule name="r"><doc>d</doc></rule>
    </domain>
    <class name="k" handler="channel" index="1" label="l">
      <doc type="grammar" name="n">d</doc>
      <chassis name="server" implement="MUST"/>
      <rule name="r" on-failure="x"><doc>d</doc><scenario name="s"><doc>d</doc></scenario></rule>
      <field name="p" domain="d" label="l"><doc>d</doc></field>
      <method name="m" synchronous="1" index="1" content="1" deprecated="1" label="l">
        <doc>d</doc><rule name="r"><doc>d</doc></rule>
        <chassis name="client" implement="MAY"/><response name="m-ok"/>
        <field name="f" type="bit" reserved="1">
          <assert check="le" method="m" field="f" value="1"/><rule name="r"><doc>d</doc></rule>
        </field>
      </method>
    </class>`;
  t.doesNotThrow(() => readSpec(spec(body), 'f.xml'));
  t.end();
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'an unknown element',
    spec('<clas name="a" index="1"/>'),
    /f\.xml:3: clas a: unknown element <clas>/,
  ],
  [
    'a known element in the wrong place',
    spec('<class name="a" index="1">\n<constant name="x" value="1"/></class>'),
    /f\.xml:4: class a, constant x: element <constant> has no place in <class>/,
  ],
  [
    'an unknown attribute',
    spec('<class name="a" index="1"><method name="b" index="2" synchronus="1"/></class>'),
    /f\.xml:3: class a, method b: unknown attribute 'synchronus' of <method>/,
  ],
  [
    'a missing attribute',
    spec('<class name="a" index="1"><method name="b"/></class>'),
    /class a, method b: <method> lacks attribute 'index'/,
  ],
  ['a root without its version', '<amqp major="0" minor="9"/>', /f\.xml:1: amqp: <amqp> lacks/],
  ['another root', '<protocol/>', /unknown element <protocol>, <amqp> expected/],
  ['an element of the object prototype', spec('<constructor/>'), /f\.xml: .*constructor/],
  [
    'text between elements',
    spec('<class name="a" index="1">text</class>'),
    /text in <class>: 'text'/,
  ],
  ['an element that is not closed', '<amqp>\n<class>\n</amqp>', /f\.xml:3: /],
  ['an attribute twice', spec('<class name="a" name="b" index="1"/>'), /'name' is repeated/],
  ['a second root', `${spec('')}<amqp ${ROOT}/>`, /f\.xml/],
  ['an empty file', '', /f\.xml/],
];

for (const [what, xml, message] of REFUSED) {
  t.test(`${what} is refused by name and line`, (t) => {
    t.throws(() => readSpec(xml, 'f.xml'), { name: 'SpecError', message });
    t.end();
  });
}
