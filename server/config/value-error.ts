/** A text that is no value of its setting. */
import { AppError } from '../base/app-error.ts';

/** Says what is allowed instead, as the rest of a sentence: `give a number from 0 to 65535`. */
export class ValueError extends AppError {
  constructor(allowed: string) {
    super('CONFIG_VALUE', `give ${allowed}`);
  }
}
