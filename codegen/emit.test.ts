// Generates code for a protocol that is not AMQP but has every oddity that the schema allows, then
// compiles and runs it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import { ts } from 'ts-morph';
import { emitFiles } from './emit.ts';
import { buildModel } from './model.ts';
import { type Plan, planCode } from './plan.ts';
import { readSpec } from './read-spec.ts';

const CHASSIS = '<chassis name="server" implement="MUST"/>';
const BITS = [...'abcdefghi'].map((name) => `<field name="${name}" type="bit"/>`).join('');

const ODD = `<amqp major="3" minor="2" revision="1">
  <constant name="low" value="7" label="tells a */ comment from its end"/>
  <class name="basic" index="60">
    <field name="note" type="shortstr"/><field name="raw" type="longstr"/>
    <field name="count" type="longlong"/><field name="more" type="table"/>
    <method name="publish" index="40" content="1">${CHASSIS}
      <field name="reserved-1" type="longstr" reserved="1"/>
      ${BITS}
      <field name="arguments" type="table"/>
      <field name="reserved-2" type="bit" reserved="1"/>
      <field name="type" type="longstr"/>
      <field name="r" type="short"/>
    </method>
  </class>
  <class name="other-things" index="61">
    <field name="only" type="short"/>
    <method name="do-it" index="1" content="1">${CHASSIS}</method>
  </class>
</amqp>`;

function odd(): Plan {
  return planCode(buildModel(readSpec(ODD, 'odd.xml')), ['odd.xml']);
}

/** Compiles the files into a folder of the test and imports their index. */
async function load(): Promise<Record<string, unknown>> {
  const directory = join(t.testdir(), 'out');
  mkdirSync(directory);
  // The files import the runtime's sources; what runs is its compiled form.
  const runtime = fileURLToPath(new URL('runtime/', import.meta.url));
  for (const [name, text] of emitFiles(odd(), directory)) {
    const compiled = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
      },
    });
    const source = compiled.outputText.replace(
      /(from ["'])[^"']*codegen\/runtime\//g,
      `$1${relative(directory, runtime)}/`,
    );
    writeFileSync(join(directory, `${basename(name, '.ts')}.js`), source);
  }
  const module: unknown = await import(pathToFileURL(join(directory, 'index.js')).href);
  return module as Record<string, unknown>;
}

const module = await load();
const Reader = module['ByteReader'] as new (...args: unknown[]) => unknown;

/** Calls an export of the generated index. */
function call(name: string, ...args: unknown[]): unknown {
  const exported = module[name];
  if (typeof exported !== 'function') throw new Error(`${name} is not exported`);
  return Reflect.apply(exported, null, args);
}

t.test('the code for an odd protocol compiles and does what its spec says', (t) => {
  const bits = { a: true, b: false, c: false, d: false, e: false, f: false, g: false, h: true };
  const args = { ...bits, i: true, arguments: new Map(), type: Buffer.from('xy'), r: 0x0102 };
  const buf = Buffer.alloc(100);
  const end = call('encodeBasicPublish', buf, 0, 5, args);
  const expected =
    '01000500000017' +
    '003c0028' +
    '00000000' +
    '8101' +
    '00000000' +
    '00' +
    '000000027879' +
    '0102' +
    'ce';
  t.equal(buf.toString('hex', 0, Number(end)), expected);
  t.equal(call('sizeOfBasicPublish', args), end);
  t.same(call('decodeBasicPublish', new Reader(buf, 11, Number(end) - 1)), args);
  t.equal(call('basicPublishBits2At', buf, 11), 16);
  t.equal(call('basicPublishI', buf, 11), true);
  t.equal(call('basicPublishArgumentsAt', buf, 11), 17);
  t.equal(call('basicPublishTypeAt', buf, 11), 22);
  t.equal(call('basicPublishR', buf, 11), 0x0102);
  t.equal(call('basicPublishEndAt', buf, 11), Number(end) - 1);
  t.end();
});

t.test('a reserved string that a peer filled moves what stands behind it', (t) => {
  const octets = Buffer.from(
    '00000003aabbcc' + '0001' + '00000000' + 'ff' + '00000000' + '0007',
    'hex',
  );
  t.match(call('decodeBasicPublish', new Reader(octets)), { a: false, i: true, r: 7 });
  t.equal(call('basicPublishI', octets, 0), true);
  t.equal(call('basicPublishR', octets, 0), 7);
  t.equal(call('basicPublishEndAt', octets, 0), octets.length);
  t.end();
});

t.test('two classes with content have properties and headers of their own', (t) => {
  const View = module['BasicPropertiesView'] as new () => {
    reset: (...args: unknown[]) => unknown;
  };
  const properties = { note: 'n', raw: Buffer.from([1, 2]), count: 3, more: new Map() };
  const buf = Buffer.alloc(100);
  const end = Number(call('encodeBasicContentHeader', buf, 0, 1, 60, 9, properties));
  t.equal(end, call('sizeOfBasicContentHeader', properties));
  t.same(call('decodeBasicProperties', new Reader(buf, 19, end - 1)), properties);
  t.match(new View().reset(buf, 19, end - 1), { note: 'n', raw: Buffer.from([1, 2]), count: 3 });
  const other = Number(call('encodeOtherThingsContentHeader', buf, 0, 1, 61, 9, { only: 5 }));
  t.equal(buf.toString('hex', 19, other - 1), '80000005');
  t.end();
});

t.test('the same plan gives the same bytes', (t) => {
  const directory = join(t.testdirName, 'generated');
  const first = emitFiles(odd(), directory);
  const second = emitFiles(odd(), directory);
  t.same([...second], [...first]);
  t.equal(first.size, 8);
  t.end();
});
