/**
 * Where log lines go: standard output or a file, as JSON lines, or made readable when a person watches.
 *
 * A line is written when the call returns: nothing is lost when the process breaks off, and an exit has
 * nothing to wait for. The price is a system call a line; levels are chosen so that no line is logged per message.
 * Only a pipe or socket whose reader does not read is another matter: pipe-output.ts.
 *
 * A log that cannot be written never ends the server. The disk may be full, and the server is there to empty it: lines
 * are kept up to a limit and written with the next one that can be; what is beyond is lost.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { AppError } from '../base/app-error.ts';
import { isPipe, PipeOutput, WAITING_BYTES_MAX } from './pipe-output.ts';

/** A sink for whole lines. */
export interface LogOutput {
  write(line: string): void;
}

/** A sink that is a file, or something that was open when the process began. */
export interface LogTarget extends LogOutput {
  /**
   * Goes on in a new file of the same name, when the old one was renamed; does nothing where there is no name.
   *
   * @throws AppError when that cannot be opened; the log goes on in the old one
   */
  reopen(): void;
}

/**
 * Opens an output.
 *
 * @param target 1 for standard output, or the path of a file, to which lines are added
 * @param readable whether lines are made readable; by default, whether the target is a terminal. Only then is
 *   the code for it loaded.
 * @throws AppError when the file cannot be opened
 */
export async function openLogOutput(
  target: number | string,
  readable: boolean = isTerminal(target),
): Promise<LogTarget> {
  const open = () =>
    pino.destination({ dest: target, append: true, sync: true, maxLength: WAITING_BYTES_MAX });
  if (typeof target === 'number' && isPipe(target)) {
    const pipe = new PipeOutput(target, droppedLine);
    return { write: (line) => pipe.write(line), reopen: () => undefined };
  }
  const stream = explained(target, open);
  // Written again with the next line; there is nobody to tell that the log cannot be written.
  stream.on('error', () => undefined);
  const reopen = () => {
    if (typeof target === 'string') explained(target, () => stream.reopen());
  };
  if (!readable) return { write: (line) => void stream.write(line), reopen };
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    colorize: isTerminal(target),
    ignore: 'event',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => void stream.write(format(line)), reopen };
}

/** As the logger would write it. */
function droppedLine(count: number): string {
  const time = new Date().toISOString();
  const msg = 'log lines are dropped: nobody reads them';
  return `${JSON.stringify({ level: 'warn', time, event: 'log.drop', count, msg })}\n`;
}

function isTerminal(target: number | string): boolean {
  return typeof target === 'number' && isatty(target);
}

/** Does a step, and says of which file its failure speaks. */
function explained<T>(target: number | string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('LOG_FILE', `cannot write the log to ${target}: ${reason}`, { cause });
  }
}
