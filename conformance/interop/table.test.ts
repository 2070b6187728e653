import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { INTEROP_CLIENTS, scenariosOf } from './clients.ts';
import { documentation, NOT_RUN, resultsOf } from './table.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

function textOf(...path: string[]): string {
  return readFileSync(join(ROOT, ...path), 'utf8');
}

t.test('docs/CONFORMANCE.md has the scenarios and clients as the code has them', (t) => {
  const documented = /<!-- interop -->\n(.*?)\n<!-- \/interop -->/s.exec(
    textOf('docs', 'CONFORMANCE.md'),
  );
  t.equal(documented?.[1], documentation());
  t.end();
});

t.test('.ci/run installs what every client needs', (t) => {
  const list = /^PACKAGES=\(\n([^)]*)\)/m.exec(textOf('.ci', 'run'))?.[1] ?? '';
  const installed = list.split(/\s+/);
  for (const { name, packages } of INTEROP_CLIENTS) {
    for (const wanted of packages) t.ok(installed.includes(wanted), `${wanted} for ${name}`);
  }
  t.end();
});

t.test('a client has gaps only among its own scenarios, and not only gaps', (t) => {
  for (const client of INTEROP_CLIENTS) {
    const names: readonly string[] = client.scenarios.map(({ name }) => name);
    for (const gap of Object.keys(client.gaps)) t.ok(names.includes(gap), `${client.name}, ${gap}`);
    t.equal(scenariosOf(client).length, names.length - Object.keys(client.gaps).length);
    t.not(scenariosOf(client).length, 0);
  }
  t.end();
});

t.test('the results of a run leave out the scenarios that nobody ran', (t) => {
  const [pika] = INTEROP_CLIENTS.filter(({ name }) => name === 'pika');
  if (pika === undefined) throw new Error('pika is gone');
  const results = resultsOf([pika], (_client, scenario) => (scenario === 'get' ? 'ok' : NOT_RUN));
  t.equal(results, 'scenario  pika\nget       ok');
  t.end();
});
