/** A setting or an operator's file that the server cannot work with. */
import { AppError } from '../base/app-error.ts';

/**
 * Says which setting is wrong, where it came from and what is allowed instead, in one line.
 * `source` is `command line`, or the path of the file; `key` is the flag, or the place in the file.
 */
export class ConfigError extends AppError {
  readonly source: string;
  readonly key: string;

  constructor(source: string, key: string, reason: string, options?: ErrorOptions) {
    super('CONFIG', `${source}: ${key} ${reason}`, options);
    this.source = source;
    this.key = key;
  }
}
