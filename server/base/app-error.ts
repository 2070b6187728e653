/**
 * The root of every expected failure. `code` is stable and meant for programs; the message is for
 * people and names what was wrong and where. Programmer errors are plain `Error`s (assert).
 */
export class AppError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Whether something thrown is an expected failure. */
export function isAppError(error: unknown): error is AppError {
  return error instanceof AppError;
}
