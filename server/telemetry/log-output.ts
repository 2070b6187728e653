/**
 * Where log lines go: a file descriptor, as JSON lines, or made readable when a person watches.
 *
 * A line is written when the call returns: nothing is lost when the process breaks off, and an exit has
 * nothing to wait for. The price is a system call a line, and that a reader who keeps a pipe open without
 * reading it stops the server in the end; levels are chosen so that no line is logged per message.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';

/** A sink for whole lines. */
export interface LogOutput {
  write(line: string): void;
}

/**
 * Opens an output on a file descriptor.
 *
 * @param fd 1 for standard output
 * @param readable whether lines are made readable; by default, whether `fd` is a terminal. Only then is
 *   the code for it loaded.
 */
export async function openLogOutput(
  fd: number,
  readable: boolean = isatty(fd),
): Promise<LogOutput> {
  const stream = pino.destination({ fd, sync: true });
  if (!readable) return stream;
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    colorize: isatty(fd),
    ignore: 'event',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => void stream.write(format(line)) };
}
