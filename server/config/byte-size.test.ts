import t from 'tap';
import { parseByteSize } from './byte-size.ts';

t.test('a size is a number of bytes, or has a unit of 1000 or 1024', async (t) => {
  const cases: readonly [string, number | null][] = [
    ['0', 0],
    ['1024', 1024],
    ['1k', 1024],
    ['1kB', 1000],
    ['50MB', 50_000_000],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['2T', 2 ** 41],
    ['', null],
    ['-1', null],
    ['MB', null],
    ['1e3', null],
    ['5 apples', null],
    ['1 MB more', null],
  ];
  for (const [text, bytes] of cases) t.equal(parseByteSize(text), bytes, text);
});
