import { readFileSync } from 'node:fs';
import t from 'tap';
import { ROWS } from './rows.ts';

t.test(
  'every row has an id of its own, and the page about benchmarks tells what it is',
  async (t) => {
    const ids = ROWS.map(({ id }) => id);
    t.equal(new Set(ids).size, ids.length);
    const page = readFileSync(new URL('../../../docs/BENCHMARKS.md', import.meta.url), 'utf8');
    const told = [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, id]) => id),
    );
    for (const id of ids) t.ok(told.includes(id), id);
  },
);
