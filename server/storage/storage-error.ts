/** A failure of the disk or of a file's content, with the path it concerns. */
import { AppError } from '../base/app-error.ts';

/** What the disk refused, or a file that is not what it must be. */
export class StorageError extends AppError {
  readonly path: string;
  /** The system's error name (`ENOSPC`, `EIO`, ...), or '' when the content was wrong. */
  readonly errno: string;

  constructor(path: string, message: string, errno: string = '', options?: ErrorOptions) {
    super(errno === '' ? 'STORAGE' : `STORAGE_${errno}`, `${path}: ${message}`, options);
    this.path = path;
    this.errno = errno;
  }

  /** Wraps what a system call threw. */
  static from(path: string, action: string, cause: unknown): StorageError {
    if (cause instanceof StorageError) return cause;
    const errno =
      cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new StorageError(path, `${action} failed: ${reason}`, errno, { cause });
  }
}
