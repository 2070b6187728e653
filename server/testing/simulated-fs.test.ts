import t from 'tap';
import { StorageError } from '../storage/storage-error.ts';
import { Random } from './random.ts';
import { SimulatedFs, type SimulatedFsOptions } from './simulated-fs.ts';

const A = '/data/a';
const B = '/data/b';

/** A machine with one file, stable with its name, that holds `text`. */
function machineWith(text: string, options: SimulatedFsOptions = {}): SimulatedFs {
  const fs = new SimulatedFs(options);
  fs.makeDirectory('/data');
  write(fs, A, text);
  fs.openForWriting(A).datasyncNow();
  fs.syncDirectoryNow('/data');
  return fs;
}

function write(fs: SimulatedFs, path: string, text: string, position: number = 0): void {
  fs.openForWriting(path).writeAt(Buffer.from(text), 0, text.length, position);
}

/** All that lost power may leave in the file, over many throws of the dice. */
function outcomes(make: () => SimulatedFs, path: string = A): Set<string | null> {
  const seen = new Set<string | null>();
  for (let seed = 0; seed < 200; seed++) {
    seen.add(make().crash('power', new Random(seed)).readFile(path)?.toString('latin1') ?? null);
  }
  return seen;
}

t.test(
  'a write is seen at once, and lost, kept or torn when power goes before a sync',
  async (t) => {
    const make = (): SimulatedFs => {
      const fs = machineWith('....');
      write(fs, A, 'abcd');
      t.equal(fs.readFile(A)?.toString(), 'abcd');
      return fs;
    };
    t.same([...outcomes(make)].sort(), ['....', 'a...', 'ab..', 'abc.', 'abcd']);
  },
);

t.test('unsynced writes survive independently of each other', async (t) => {
  const seen = outcomes(() => {
    const fs = machineWith('....');
    write(fs, A, 'x', 0);
    write(fs, A, 'y', 3);
    return fs;
  });
  t.same([...seen].sort(), ['....', '...y', 'x...', 'x..y']);
});

t.test('a sync keeps what was written before it began, and no more', async (t) => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < 100; seed++) {
    const fs = machineWith('....', { completion: 'manual' });
    write(fs, A, 'x', 0);
    const sync = fs.openForWriting(A).datasync();
    write(fs, A, 'y', 1);
    t.equal(fs.waitingCount, 1);
    fs.complete();
    await sync;
    seen.add(fs.crash('power', new Random(seed)).readFile(A)?.toString());
  }
  t.same([...seen].sort(), ['x...', 'xy..']);
});

t.test('a sync that has not ended has made nothing stable', async (t) => {
  const seen = outcomes(() => {
    const fs = machineWith('....', { completion: 'manual' });
    write(fs, A, 'x', 0);
    fs.openForWriting(A)
      .datasync()
      .catch(() => {});
    return fs;
  });
  t.same([...seen].sort(), ['....', 'x...']);
});

t.test('a file cut short gets its old end back when the cut was not synced', async (t) => {
  const seen = outcomes(() => {
    const fs = machineWith('abcd');
    fs.openForWriting(A).truncate(1);
    t.equal(fs.openForReading(A).size(), 1);
    return fs;
  });
  t.same([...seen].sort(), ['a', 'abcd']);
});

t.test('a write behind the end leaves zeros between', async (t) => {
  const fs = machineWith('ab');
  write(fs, A, 'z', 4);
  t.same(fs.readFile(A), Buffer.from('ab\0\0z'));
});

t.test('new, renamed and deleted names are stable after a sync of their folder only', async (t) => {
  const isThere = (fs: SimulatedFs): string =>
    fs
      .list('/data')
      .map((name) => `${name}:${fs.readFile(`/data/${name}`)}`)
      .join();
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const fs = machineWith('old');
    write(fs, B, 'new');
    fs.openForWriting(B).datasyncNow();
    fs.rename(B, A);
    t.equal(isThere(fs), 'a:new');
    seen.add(isThere(fs.crash('power', new Random(seed))));
  }
  t.same([...seen].sort(), ['a:new', 'a:old', 'a:old,b:new']);

  const fs = machineWith('old');
  fs.delete(A);
  fs.delete(A);
  await fs.syncDirectory('/data');
  t.equal(isThere(fs.crash('power', new Random(1))), '');
});

t.test('a kill leaves the page cache, and what was not synced in danger', async (t) => {
  const killed = (): SimulatedFs => {
    const fs = machineWith('....');
    write(fs, A, 'x', 0);
    return fs.crash('kill', new Random(1));
  };
  t.equal(killed().readFile(A)?.toString(), 'x...');
  t.same([...outcomes(killed)].sort(), ['....', 'x...']);
  t.same(
    [
      ...outcomes(() => {
        const fs = killed();
        fs.openForWriting(A).datasyncNow();
        return fs;
      }),
    ],
    ['x...'],
  );
});

t.test('the same seed loses the same', async (t) => {
  const lose = (): string => {
    const fs = machineWith('');
    for (let i = 0; i < 50; i++) write(fs, A, 'abc', 3 * i);
    return fs.crash('power', new Random(7)).readFile(A)!.toString('hex');
  };
  t.equal(lose(), lose());
});

t.test('a disk that only claims to sync keeps nothing', async (t) => {
  const fs = new SimulatedFs({ syncs: false });
  fs.makeDirectory('/data');
  write(fs, A, 'x');
  await fs.openForWriting(A).datasync();
  await fs.syncDirectory('/data');
  const seen = new Set<boolean>();
  for (let seed = 0; seed < 50; seed++) {
    seen.add(fs.crash('power', new Random(seed)).readFile(A) === null);
  }
  t.ok(seen.has(true));
});

t.test(
  'the next step of a kind fails as asked, does nothing, and the one after works',
  async (t) => {
    const fs = machineWith('....');
    fs.failNext('write', 'ENOSPC');
    fs.failNext('sync', 'EIO');
    t.throws(() => write(fs, A, 'x'), { code: 'STORAGE_ENOSPC', path: A });
    t.equal(fs.readFile(A)?.toString(), '....');
    write(fs, A, 'x');
    await t.rejects(fs.openForWriting(A).datasync(), new StorageError(A, '', 'EIO').constructor);
    await fs.openForWriting(A).datasync();
  },
);

t.test('a machine told to stop fails every step from then on', async (t) => {
  const fs = machineWith('....');
  fs.stopAfter(1);
  write(fs, A, 'x');
  t.notOk(fs.hasStopped);
  t.throws(() => write(fs, A, 'y'), /has stopped/);
  t.ok(fs.hasStopped);
  t.throws(() => fs.delete(A), /has stopped/);
  t.equal(fs.readFile(A)?.toString(), 'x...');
});

t.test('reads find what is there, in order of their call', async (t) => {
  const fs = machineWith('abcd');
  const file = fs.openForReading(A);
  const buf = Buffer.alloc(6, '-');
  t.equal(await file.readAt(buf, 1, 10, 1), 3);
  t.equal(buf.toString(), '-bcd--');
  t.equal(file.readNow(buf, 0, 2, 9), 0);
  t.throws(() => fs.openForReading(B), { code: 'STORAGE_ENOENT' });
  t.equal(fs.readFile(B), null);
});
