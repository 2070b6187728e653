/** A command that was given something it cannot work on. */
import { AppError } from '../base/app-error.ts';

/** Says what is wrong with what was given; nothing was done. */
export class ToolUsageError extends AppError {
  constructor(message: string) {
    super('USAGE', message);
  }
}
