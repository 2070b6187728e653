/** The machine's file system, with a test between it and those who read files in the pool. */
import { type FileSystem, type OpenFile, realFileSystem } from '../storage/fs.ts';

/** Carries out a read, or does something else in its place; `path` is the file's. */
export type ReadInterceptor = (path: string, read: () => Promise<number>) => Promise<number>;

/** A file system whose reads of files opened for reading go through `intercept`. */
export function interceptReads(intercept: ReadInterceptor): FileSystem {
  return {
    ...realFileSystem,
    openForReading: (path) => {
      const file = realFileSystem.openForReading(path);
      const readAt: OpenFile['readAt'] = (...args) => intercept(path, () => file.readAt(...args));
      return new Proxy(file, {
        get: (target, key) => {
          const value: unknown = key === 'readAt' ? readAt : Reflect.get(target, key);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
}
