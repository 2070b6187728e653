/** docs/reference/amqp.md says what the protocol, the server and the suite say. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { METHODS, REPLY_CODES } from '../generated/index.ts';
import { listScenarios, scenarioFiles } from './scenario-list.ts';
import { nameOf } from './support/any-method.ts';
import { codeIn, type MarkdownTable, readTables } from './support/markdown-tables.ts';
import { argumentNames, isSameText, readServerSource } from './support/server-source.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGE = readFileSync(join(ROOT, 'docs/reference/amqp.md'), 'utf8');
const TABLES = readTables(PAGE);
const SOURCE = readServerSource(ROOT);
const RULES = new Set(listScenarios(scenarioFiles([])).map(({ rule }) => rule));

function tableOf(heading: string): MarkdownTable {
  const found = TABLES.find((table) => table.heading === heading);
  if (found === undefined) throw new Error(`no table below '${heading}'`);
  return found;
}

function senderOf(toServer: boolean, toClient: boolean): string {
  if (toServer && toClient) return 'both';
  return toServer ? 'client' : 'server';
}

/** A rule id, all rule ids that begin so, or a test file. */
function isShown(evidence: string): boolean {
  if (evidence.endsWith('.test.ts')) return existsSync(join(ROOT, evidence));
  if (!evidence.endsWith('/*')) return RULES.has(evidence);
  return [...RULES].some((rule) => rule.startsWith(evidence.slice(0, -1)));
}

t.test('every method of the protocol has its row, and no row is of another', async (t) => {
  const expected = METHODS.map((method) => ({
    Method: `\`${nameOf(method)}\``,
    Ids: `${method.id >>> 16} ${method.id & 0xffff}`,
    'Sent by': senderOf(method.toServer, method.toClient),
  }));
  const rows = tableOf('Methods').rows.map(({ Method, Ids, 'Sent by': sender }) => ({
    Method,
    Ids,
    'Sent by': sender,
  }));
  t.same(rows, expected);
});

t.test(
  'every row says yes, no with a reason, or not yet; a yes is shown by something',
  async (t) => {
    for (const { heading, rows } of TABLES) {
      for (const row of rows) {
        const { Here: here = 'yes', 'Shown by': shown = '' } = row;
        const what = `${heading}: ${Object.values(row).join(' | ')}`;
        t.match(here, /^(yes(: .+)?|no: .+|not yet(: .+)?)$/, what);
        if (here.startsWith('yes')) t.not(codeIn(shown).length, 0, what);
        else if (codeIn(shown).length === 0) t.equal(shown, '—', what);
      }
    }
  },
);

t.test('every scenario and test that the page names is there', async (t) => {
  const named = TABLES.flatMap(({ rows }) => rows.flatMap((row) => codeIn(row['Shown by'] ?? '')));
  const inProse = codeIn(PAGE).filter((code) => /^[a-z-]+\.[a-z-]+\/[a-z0-9*-]+$/.test(code));
  const missing = [...named, ...inProse].filter((evidence) => !isShown(evidence));
  t.same([...new Set(missing)], []);
});

t.test(
  'every scenario belongs to a row: by its name, or with all that begin like it',
  async (t) => {
    const named = new Set(codeIn(PAGE));
    const groupOf = (rule: string): string => `${rule.slice(0, rule.indexOf('/'))}/*`;
    const homeless = [...RULES].filter((rule) => !named.has(rule) && !named.has(groupOf(rule)));
    t.same(homeless, []);
  },
);

t.test(
  'every argument and header that the server knows has a row, and the other way round',
  async (t) => {
    const headings = [
      'Arguments of queue.declare',
      'Arguments of exchanges, consumers and bindings',
      'Properties and headers of messages',
    ];
    const rows = headings.flatMap((heading) => tableOf(heading).rows);
    const namesIn = (row: Readonly<Record<string, string>>): string[] =>
      codeIn(row['Argument'] ?? row['Property'] ?? '');
    const known = argumentNames(SOURCE);
    t.ok(known.length > 10, `${known.length} names in the source`);
    const onPage = new Set(rows.flatMap(namesIn));
    t.same(
      known.filter((name) => !onPage.has(name)),
      [],
      'known, but not on the page',
    );
    const claimed = rows.filter((row) => row['Here']?.startsWith('yes')).flatMap(namesIn);
    t.same(
      claimed.filter((name) => /^(x-|alternate-)/.test(name) && !known.includes(name)),
      [],
      'on the page, but not known',
    );
  },
);

t.test('every reply code has a row, with what it ends', async (t) => {
  const { rows } = tableOf('Errors');
  const codes = new Set(rows.map(({ Code }) => Code));
  const missing = Object.keys(REPLY_CODES).filter((code) => code !== '200' && !codes.has(code));
  t.same(missing, []);
  for (const { Ends: ends, Text: text } of rows) {
    t.match(ends, /^(channel|connection|nothing)$/, text ?? '');
  }
});

t.test('every error text of the server is on the page, and the other way round', async (t) => {
  const { rows } = tableOf('Errors');
  const own = [...SOURCE.errorTexts];
  t.ok(own.length > 40, `${own.length} error texts in the source`);
  const listed = rows.flatMap(({ Text }) => codeIn(Text ?? ''));
  t.same(
    own.filter((inSource) => !listed.some((onPage) => isSameText(onPage, inSource))),
    [],
    'in the source, but not on the page',
  );
  const sent = rows.filter(({ Here, Ends }) => Here?.startsWith('yes') && Ends !== 'nothing');
  const claimed = sent.flatMap(({ Text }) => codeIn(Text ?? ''));
  const all = [...SOURCE.texts];
  t.same(
    claimed.filter((onPage) => !all.some((inSource) => isSameText(onPage, inSource))),
    [],
    'on the page, but not in the source',
  );
});
