import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type FileSystem, realFileSystem } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { hashPassword } from './password-hash.ts';
import { Permissions } from './permissions.ts';
import type { User } from './user.ts';
import { UserStore } from './user-store.ts';

const everything = { configure: '.*', write: '.*', read: '.*' };

function createUser(name: string, password: string): User {
  return {
    name,
    passwordHash: password === '' ? '' : hashPassword(password),
    tags: ['monitoring'],
    permissions: new Map([['/', new Permissions({ configure: '', write: '^jobs$', read: '.*' })]]),
  };
}

function setUp(t: Teardown, content?: unknown) {
  const dataDir = temporaryDirectory(t);
  const path = join(dataDir, 'users.json');
  if (content !== undefined) writeFileSync(path, JSON.stringify(content));
  const load = (guestOnlyLoopback = true) =>
    UserStore.load(realFileSystem, dataDir, { guestOnlyLoopback });
  return { path, load, read: () => readFileSync(path, 'utf8') };
}

t.test('the first start makes guest/guest, who may do everything in the first vhost', async (t) => {
  const { load, read } = setUp(t);
  const store = await load();
  t.match(JSON.parse(read()), [
    {
      name: 'guest',
      password_hash: /^[A-Za-z0-9+/]{48}$/,
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: ['administrator'],
      permissions: { '/': everything },
    },
  ]);
  t.match(store.authenticate('guest', 'guest', true), { user: { name: 'guest' }, refusal: null });
  t.same(store.permissions('guest', '/')?.patterns, everything);
  t.equal(store.permissions('guest', 'other'), null);
  t.equal(store.permissions('nobody', '/'), null);
});

t.test('the first start makes the user that it is told to make', async (t) => {
  const named = { guestOnlyLoopback: true, defaultUser: 'shop' };
  const ofPassword = { ...named, defaultPassword: 'secret', defaultPasswordHash: null };
  const ofHash = { ...named, defaultPasswordHash: hashPassword('secret') };
  for (const options of [ofPassword, ofHash]) {
    const store = await UserStore.load(realFileSystem, temporaryDirectory(t), options);
    t.equal(store.find('guest'), null);
    t.match(store.authenticate('shop', 'secret', false), { user: { name: 'shop' } });
    t.equal(store.authenticate('shop', 'guest', false).refusal, 'wrong password');
    t.same(store.permissions('shop', '/')?.patterns, everything);
  }
});

t.test('guest keeps to its machine, whatever password the first start gives it', async (t) => {
  const options = { guestOnlyLoopback: true, defaultUser: 'guest', defaultPassword: 'secret' };
  const store = await UserStore.load(realFileSystem, temporaryDirectory(t), options);
  t.match(store.authenticate('guest', 'secret', true), { user: { name: 'guest' } });
  t.match(store.authenticate('guest', 'secret', false), { refusal: /only connect from this/ });
});

t.test('a later start reads what is there and leaves the file alone', async (t) => {
  const { load, read } = setUp(t, []);
  const store = await load();
  t.equal(store.find('guest'), null);
  t.equal(read(), '[]');
});

t.test('a login is refused for what is wrong with it', async (t) => {
  const store = await setUp(t).load();
  await store.put(createUser('bob', 'secret'));
  await store.put(createUser('certificate', ''));
  const refusalOf = (name: string, password: string, peerIsLoopback = true) =>
    store.authenticate(name, password, peerIsLoopback).refusal;
  t.equal(refusalOf('bob', 'secret', false), null);
  t.equal(refusalOf('bob', 'Secret'), 'wrong password');
  t.equal(refusalOf('bob', ''), 'blank password');
  t.equal(refusalOf('alice', 'secret'), 'unknown user');
  t.equal(refusalOf('certificate', 'secret'), 'user without password');
  t.equal(refusalOf('certificate', ''), 'blank password');
});

t.test('guest may connect from this machine only, unless that is switched off', async (t) => {
  const { load } = setUp(t);
  const strict = await load();
  t.equal(
    strict.authenticate('guest', 'guest', false).refusal,
    'user may only connect from this machine',
  );
  t.equal(strict.authenticate('guest', 'no', false).refusal, 'wrong password');
  const open = await load(false);
  t.equal(open.authenticate('guest', 'guest', false).refusal, null);
});

t.test('a change is in the file and raises the version, and a restart finds it', async (t) => {
  const { load } = setUp(t);
  const store = await load();
  const before = store.version;
  await store.put(createUser('bob', 'one'));
  t.ok(store.version > before);
  await store.put(createUser('bob', 'two'));
  for (const reader of [store, await load()]) {
    t.equal(reader.authenticate('bob', 'one', true).refusal, 'wrong password');
    t.match(reader.authenticate('bob', 'two', true), { user: { tags: ['monitoring'] } });
    t.same(reader.permissions('bob', '/')?.patterns, {
      configure: '',
      write: '^jobs$',
      read: '.*',
    });
    t.equal(reader.authenticate('guest', 'guest', true).refusal, null);
  }
});

t.test('changes at the same time are all kept', async (t) => {
  const { load } = setUp(t);
  const store = await load();
  const names = Array.from({ length: 20 }, (_, index) => `user-${index}`);
  await Promise.all(names.map((name) => store.put(createUser(name, name))));
  const reader = await load();
  t.same(
    names.filter((name) => reader.find(name) === null),
    [],
  );
});

t.test('a change that the disk refuses is not made, and the next one is', async (t) => {
  let isFull = false;
  const fs: FileSystem = {
    ...realFileSystem,
    async renameLater(from, to) {
      if (isFull) throw new StorageError(from, 'rename failed', 'ENOSPC');
      await realFileSystem.renameLater(from, to);
    },
  };
  const store = await UserStore.load(fs, temporaryDirectory(t), { guestOnlyLoopback: true });
  let told = 0;
  store.spaceRefused = () => told++;
  const before = store.version;
  isFull = true;
  await t.rejects(store.put(createUser('bob', 'one')), { code: 'STORAGE_ENOSPC' });
  t.equal(told, 1);
  t.equal(store.find('bob'), null);
  t.equal(store.version, before);
  isFull = false;
  await store.put(createUser('eve', 'one'));
  t.ok(store.find('eve'));
});

t.test('a user pasted from definitions is understood', async (t) => {
  const { load } = setUp(t, [
    {
      name: 'csv',
      tags: 'administrator, monitoring',
      limits: {},
      password_hash: hashPassword('x'),
    },
    { name: 'bare', password_hash: null },
  ]);
  const store = await load();
  t.match(store.authenticate('csv', 'x', false).user, {
    tags: ['administrator', 'monitoring'],
    permissions: new Map(),
  });
  t.match(store.find('bare'), { passwordHash: '', tags: [] });
});

t.test('a file that cannot be used is reported with file, user and reason, and kept', async (t) => {
  const good = { name: 'bob', permissions: { '/': everything } };
  const cases: readonly [unknown, RegExp][] = [
    [{}, /the file must be a list of users/],
    [[1], /user number 1 must be an object/],
    [[good, {}], /user number 2 has no name/],
    [[good, good], /user 'bob' is there twice/],
    [[{ ...good, password_hash: 'x' }], /user 'bob' must have a password_hash of 36 bytes/],
    [
      [{ ...good, password_hash: 'x', hashing_algorithm: 'md5' }],
      /'bob' must have the hashing_alg/,
    ],
    [[{ ...good, tags: [1] }], /user 'bob' must have tags that are a list of texts/],
    [[{ ...good, permissions: [] }], /user 'bob' must have permissions that are an object/],
    [
      [{ ...good, permissions: { a: null } }],
      /user 'bob', vhost 'a', must have a pattern 'configure'/,
    ],
    [
      [{ ...good, permissions: { a: { ...everything, read: '(' } } }],
      /user 'bob', vhost 'a', has a 'read' that cannot be used: .*Unterminated group/,
    ],
    [
      [{ ...good, permissions: { a: { ...everything, write: '(?i)x' } } }],
      /user 'bob', vhost 'a', has a 'write' that cannot be used/,
    ],
  ];
  for (const [content, message] of cases) {
    const { load, path, read } = setUp(t, content);
    await t.rejects(load(), { code: 'CONFIG', source: path, message });
    t.equal(read(), JSON.stringify(content));
  }
});
