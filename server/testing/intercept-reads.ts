/** The machine's file system, with a test between it and those who read files in the pool. */
import { type FileSystem, type OpenFile, realFileSystem } from '../storage/fs.ts';

/** Carries out a read, or does something else in its place; `path` is the file's. */
export type ReadInterceptor = (path: string, read: () => Promise<number>) => Promise<number>;

/** A file system whose reads in the pool go through `intercept`. */
export function interceptReads(intercept: ReadInterceptor): FileSystem {
  const intercepted = (path: string, file: OpenFile): OpenFile => {
    const readAt: OpenFile['readAt'] = (...args) => intercept(path, () => file.readAt(...args));
    return new Proxy(file, {
      get: (target, key) => {
        const value: unknown = key === 'readAt' ? readAt : Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  };
  return {
    ...realFileSystem,
    openForReading: (path) => intercepted(path, realFileSystem.openForReading(path)),
    openForWriting: (path) => intercepted(path, realFileSystem.openForWriting(path)),
  };
}
