/** Disks that make a broker break its promises, to show that the crash test would notice. */
import { dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../../storage/fs.ts';

/** A sync that fails is taken for one that has succeeded. */
export function countFailedSyncs(fs: FileSystem): FileSystem {
  return overriding(fs, {
    openForWriting: (path) => {
      const file = fs.openForWriting(path);
      return overriding(file, { datasync: () => file.datasync().catch(() => {}) });
    },
  });
}

/** A file that replaces another one gets its name first, and is synced after that. */
export function renameBeforeSync(fs: FileSystem): FileSystem {
  const isTemporary = (path: string): boolean => path.endsWith('.tmp');
  return overriding(fs, {
    openForWriting: (path) => {
      const file = fs.openForWriting(path);
      return isTemporary(path) ? overriding(file, { datasync: async () => {} }) : file;
    },
    renameLater: async (from, to) => {
      await fs.renameLater(from, to);
      if (isTemporary(from)) syncLater(fs.openForWriting(to));
    },
  });
}

/** Whoever cuts a file in this folder cuts off `bytes` more. */
export function cutMore(folder: RegExp, bytes: number): (fs: FileSystem) => FileSystem {
  return (fs) =>
    overriding(fs, {
      openForWriting: (path) => {
        const file = fs.openForWriting(path);
        if (!folder.test(dirname(path))) return file;
        return overriding(file, {
          truncate: (size) => file.truncate(size - bytes),
          truncateLater: (size) => file.truncateLater(size - bytes),
        });
      },
    });
}

/** Files, or folders, whose path matches are never synced, though the disk says so. */
export function skipSyncs(path: RegExp): (fs: FileSystem) => FileSystem {
  return (fs) =>
    overriding(fs, {
      openForWriting: (name) => {
        const file = fs.openForWriting(name);
        return path.test(name) ? overriding(file, { datasync: async () => {} }) : file;
      },
      syncDirectory: async (name) => {
        if (!path.test(name)) await fs.syncDirectory(name);
      },
    });
}

function syncLater(file: OpenFile): void {
  file.datasync().then(
    () => file.close(),
    () => file.close(),
  );
}

/** `object` with some of its members replaced; the others see the object itself. */
function overriding<T extends object>(object: T, replaced: Partial<T>): T {
  return new Proxy(object, {
    get(target, key) {
      const value: unknown = Reflect.get(Object.hasOwn(replaced, key) ? replaced : target, key);
      if (typeof value !== 'function') return value;
      const bound: unknown = value.bind(target);
      return bound;
    },
  });
}
