import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type FileSystem, realFileSystem } from '../storage/fs.ts';
import { replaceFile } from '../storage/replace-file.ts';
import { contentOf } from '../testing/directory-content.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { ShadowFileSystem } from './shadow-fs.ts';

const PAGE = 64 * 1024;
const NAMES = ['a', 'b', 'new'];

type Step = (fs: FileSystem, directory: string) => void;

const name = fc.constantFrom(...NAMES);
/** Around the borders of pages and of the files. */
const offset = fc.oneof(
  fc.nat(40),
  fc.integer({ min: PAGE - 20, max: PAGE + 20 }),
  fc.nat(3 * PAGE),
);

function withFile(
  fs: FileSystem,
  path: string,
  use: (file: ReturnType<FileSystem['openForWriting']>) => void,
) {
  const file = fs.openForWriting(path);
  use(file);
  file.close();
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(name, offset, fc.integer({ min: 1, max: 2 * PAGE }), fc.nat(255)).map(
    ([file, at, size, byte]): Step =>
      (fs, directory) =>
        withFile(fs, join(directory, file), (open) =>
          open.writeAt(Buffer.alloc(size + 2, byte), 1, size + 1, at),
        ),
  ),
  fc.tuple(name, offset).map(
    ([file, size]): Step =>
      (fs, directory) =>
        withFile(fs, join(directory, file), (open) => open.truncate(size)),
  ),
  name.map(
    (file): Step =>
      (fs, directory) =>
        fs.delete(join(directory, file)),
  ),
  fc.tuple(name, name).map(
    ([from, to]): Step =>
      (fs, directory) => {
        if (from !== to && fs.list(directory).includes(from)) {
          fs.rename(join(directory, from), join(directory, to));
        }
      },
  ),
);

/** Two directories with the same two files. */
function twins(t: Parameters<typeof temporaryDirectory>[0]) {
  const [real, below] = [temporaryDirectory(t), temporaryDirectory(t)];
  for (const directory of [real, below]) {
    writeFileSync(join(directory, 'a'), Buffer.alloc(PAGE + 100, 'a'));
    writeFileSync(join(directory, 'b'), 'b');
  }
  return { real, below };
}

t.test('a shadow looks as the files would, and the files stay as they are', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const { real, below } = twins(t);
      const before = contentOf(below);
      const shadow = new ShadowFileSystem(realFileSystem);
      for (const apply of steps) {
        apply(realFileSystem, real);
        apply(shadow, below);
        t.same(shadow.list(below), realFileSystem.list(real));
        for (const file of NAMES) {
          const expected = realFileSystem.readFile(join(real, file));
          const seen = shadow.readFile(join(below, file));
          if (!(expected === null ? seen === null : seen?.equals(expected))) t.fail(file);
        }
      }
      t.same(contentOf(below), before);
    }),
    { numRuns: 40 },
  );
});

t.test('a file is read in parts, and by handles that were opened before a write', async (t) => {
  const { below } = twins(t);
  const shadow = new ShadowFileSystem(realFileSystem);
  const early = shadow.openForReading(join(below, 'a'));
  withFile(shadow, join(below, 'a'), (file) => file.writeAt(Buffer.from('xyz'), 0, 3, PAGE - 1));
  const buf = Buffer.alloc(8, '-');
  t.equal(early.readNow(buf, 2, 5, PAGE - 2), 5);
  t.equal(buf.toString(), '--axyza-');
  t.equal(await early.readAt(buf, 0, 8, PAGE + 98), 2);
  t.equal(early.readNow(buf, 0, 8, PAGE + 100), 0);
  early.close();
});

t.test('a file is replaced whole in the shadow', async (t) => {
  const { below } = twins(t);
  const shadow = new ShadowFileSystem(realFileSystem);
  await replaceFile(shadow, join(below, 'b'), Buffer.from('other'));
  t.equal(shadow.readFile(join(below, 'b'))?.toString(), 'other');
  t.same(shadow.list(below), ['a', 'b']);
});

t.test('what is forgotten has a size and no bytes', async (t) => {
  const { below } = twins(t);
  const shadow = new ShadowFileSystem(realFileSystem, (path) => path.endsWith('new'));
  const path = join(below, 'new');
  withFile(shadow, path, (file) => file.writeAt(Buffer.alloc(10), 0, 10, 5));
  t.equal(shadow.openForReading(path).size(), 15);
  t.throws(() => shadow.readFile(path), { message: /was written and not kept/ });
  t.throws(() => shadow.openForReading(join(below, 'not there')), { code: 'STORAGE_ENOENT' });
});
