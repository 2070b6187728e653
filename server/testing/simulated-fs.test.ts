import t from 'tap';
import { StorageError } from '../storage/storage-error.ts';
import { Random } from './random.ts';
import { SimulatedFs, type SimulatedFsOptions } from './simulated-fs.ts';
import { PAGE_SIZE } from './sparse-content.ts';

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

t.test(
  'what a failed sync was to save is never saved by a later one, but still read',
  async (t) => {
    const seen = new Set<string | undefined>();
    for (let seed = 0; seed < 60; seed++) {
      const fs = machineWith('....', { seed });
      write(fs, A, 'x', 0);
      fs.failNext('sync', 'EIO');
      await t.rejects(fs.openForWriting(A).datasync(), { code: 'STORAGE_EIO' });
      write(fs, A, 'y', 1);
      await fs.openForWriting(A).datasync();
      t.equal(fs.crash('kill', new Random(seed)).readFile(A)?.toString(), 'xy..');
      seen.add(fs.copy().crash('power', new Random(seed)).readFile(A)?.toString());
    }
    t.same([...seen].sort(), ['.y..', 'xy..']);
  },
);

t.test('what was written again after a failed sync is saved by the next one', async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const fs = machineWith('....', { seed });
    write(fs, A, 'x', 0);
    fs.failNext('sync', 'EIO');
    t.throws(() => fs.openForWriting(A).datasyncNow(), { code: 'STORAGE_EIO' });
    write(fs, A, 'x', 0);
    fs.openForWriting(A).datasyncNow();
    t.equal(fs.crash('power', new Random(seed)).readFile(A)?.toString(), 'x...');
  }
});

t.test('a full disk takes what fits, and takes more when files are deleted or cut', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 3 * PAGE_SIZE });
  const page = 'p'.repeat(PAGE_SIZE);
  write(fs, A, page);
  t.equal(fs.freeBytes('/data'), 2 * PAGE_SIZE);
  t.throws(() => write(fs, B, page + page + page), { code: 'STORAGE_ENOSPC', path: B });
  t.equal(fs.openForReading(B).size(), 2 * PAGE_SIZE, 'the part that fitted is there');
  write(fs, A, 'over');
  t.throws(() => write(fs, A, 'x', PAGE_SIZE), { code: 'STORAGE_ENOSPC' });
  const kept = fs.openForReading(B);
  fs.openForWriting(B).truncate(1);
  t.equal(fs.freeBytes('/data'), PAGE_SIZE);
  fs.delete(B);
  t.equal(fs.freeBytes('/data'), PAGE_SIZE, 'a deleted file that is open keeps its space');
  kept.close();
});

t.test('the space of a deleted file comes back with its last close', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: PAGE_SIZE });
  const file = fs.openForWriting(A);
  file.writeAt(Buffer.from('x'), 0, 1, 0);
  fs.delete(A);
  t.equal(fs.freeBytes('/data'), 0);
  file.close();
  file.close();
  t.equal(fs.freeBytes('/data'), PAGE_SIZE);
  t.throws(() => file.writeAt(Buffer.from('x'), 0, 1, 0), { code: 'STORAGE_EBADF' });
});

t.test('holes take no space and read as zeros', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 * PAGE_SIZE });
  write(fs, A, 'z', 1000 * PAGE_SIZE);
  t.equal(fs.usedBytes, PAGE_SIZE);
  const buf = Buffer.alloc(3, '-');
  t.equal(fs.openForReading(A).readNow(buf, 0, 3, 1000 * PAGE_SIZE - 2), 3);
  t.same(buf, Buffer.from('\0\0z'));
});

t.test('a process may open no more files than its limit', async (t) => {
  const fs = new SimulatedFs({ openFilesMax: 2 });
  const first = fs.openForWriting(A);
  fs.openForWriting(B);
  t.throws(() => fs.openForReading(A), { code: 'STORAGE_EMFILE', path: A });
  first.close();
  t.equal(fs.openForReading(A).size(), 0);
});

t.test(
  'in a bad spell calls fail by chance, writes may arrive in part, and then it is over',
  async (t) => {
    const seen = new Set<string | undefined>();
    for (let seed = 0; seed < 60; seed++) {
      const fs = machineWith('....', { seed });
      fs.failFor({ calls: ['write'], errno: 'EIO', length: 1 });
      t.throws(() => write(fs, A, 'abcd'), { code: 'STORAGE_EIO' });
      seen.add(fs.readFile(A)?.toString());
      write(fs, A, 'abcd');
      t.equal(fs.readFile(A)?.toString(), 'abcd');
    }
    t.same([...seen].sort(), ['....', 'a...', 'ab..', 'abc.']);

    const fs = machineWith('abcd', { seed: 3 });
    fs.failFor({ calls: ['read', 'open'], errno: 'EIO', length: 100, chance: 0.5, path: /\/a$/ });
    let failures = 0;
    for (let i = 0; i < 100; i++) {
      try {
        fs.readFile(A);
      } catch {
        failures++;
      }
      t.equal(fs.readFile(B), null, 'another path is well');
    }
    t.ok(failures > 20 && failures < 80);
    fs.failFor({ calls: ['read'], errno: 'EIO', length: 100 });
    fs.heal();
    t.equal(fs.readFile(A)?.toString(), 'abcd');
  },
);

t.test(
  'a write may be taken in two pieces, and the machine end, or fail, between them',
  async (t) => {
    const fs = new SimulatedFs({ shortWriteShare: 1 });
    write(fs, A, 'abcdef');
    t.equal(fs.unsyncedWrites().length, 2);
    t.equal(fs.readFile(A)?.toString(), 'abcdef');
    fs.stopAfter(1);
    t.throws(() => write(fs, A, 'ABCDEF'), /the machine has stopped/);
    t.match(fs.readFile(A)?.toString(), /^[A-E]+[b-f]+$/);
    t.equal(fs.peek(A, 5, 10)?.toString(), 'f');
    t.equal(fs.peek(B, 0, 1), null);
  },
);

t.test('who watches is told of each step before and after it', async (t) => {
  const fs = machineWith('....');
  const seen: string[] = [];
  fs.onStep = ({ step, path, phase }) => {
    seen.push(`${phase} ${step} ${path}: ${fs.readFile(A)?.toString()}`);
  };
  write(fs, A, 'x');
  t.same(seen, [`before write ${A}: ....`, `after write ${A}: x...`]);
  t.same(
    fs.unsyncedWrites().map(({ path, offset, bytes }) => [path, offset, bytes.toString()]),
    [[A, 0, 'x']],
  );
  fs.rename(A, B);
  t.same(fs.unsyncedNames('/data'), [{ step: 'rename', paths: [A, B] }]);
});
