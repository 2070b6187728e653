/**
 * Log lines into a pipe or socket that somebody else reads, perhaps not at all.
 *
 * A line is in the pipe when the call returns, as long as there is room. What has none waits, up to a limit, and is
 * written when the reader goes on; lines beyond are dropped, and counted in the next one that has room. So a reader that
 * hangs costs log lines and never holds the server.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';

/** Lines that wait for the reader, in bytes. */
export const WAITING_BYTES_MAX: number = 1024 * 1024;

/** Makes the line that says how many lines were dropped. */
export type DroppedLine = (count: number) => string;

/** Writes to a pipe or socket without ever waiting. */
export class PipeOutput {
  private readonly stream: Socket;
  private readonly droppedLine: DroppedLine;
  private droppedCount: number;

  /** @param fd a pipe or socket ({@link isPipe}) */
  constructor(fd: number, droppedLine: DroppedLine) {
    this.stream = new Socket({ fd: openAnew(fd), readable: false, writable: true });
    this.droppedLine = droppedLine;
    this.droppedCount = 0;
    // The reader is gone: there is nobody to tell.
    this.stream.on('error', () => undefined);
    this.stream.unref();
  }

  write(line: string): void {
    const { stream } = this;
    if (stream.destroyed) return;
    if (stream.writableLength + Buffer.byteLength(line) > WAITING_BYTES_MAX) {
      this.droppedCount++;
      return;
    }
    if (this.droppedCount > 0) stream.write(this.droppedLine(this.droppedCount));
    this.droppedCount = 0;
    stream.write(line);
  }
}

/** Whether what is written there is read by somebody else, in his own time. */
export function isPipe(fd: number): boolean {
  const status = fstatSync(fd);
  return status.isFIFO() || status.isSocket();
}

/**
 * The same pipe once more: one that does not block must not be shared, since other programs may write to it as well. A
 * socket cannot be opened again, nor can a pipe without a reader, or where there is no /proc.
 */
function openAnew(fd: number): number {
  try {
    const anew = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    if (fstatSync(anew).isFIFO()) return anew;
    closeSync(anew);
    return fd;
  } catch {
    return fd;
  }
}
