/**
 * Where a command writes text: something that may be slower than the writer, such as a pipe.
 *
 * Write what belongs together, then await `drained` before the next piece, so that memory does not grow with the
 * output.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { AppError } from './app-error.ts';

/** Takes text in order. */
export interface TextSink {
  write(text: string): void;
  /**
   * Resolves when more may be written.
   *
   * @throws OutputClosedError when nobody reads any more
   */
  drained(): Promise<void>;
}

/** Who was to read the output has gone, as `head` does; nothing is wrong. */
export class OutputClosedError extends AppError {
  constructor() {
    super('OUTPUT_CLOSED', 'nobody reads the output any more');
  }
}

/** Characters of output that are collected before the stream gets them. */
const PIECE_SIZE = 64 * 1024;

/** Text for a stream, in large pieces. */
export class StreamSink implements TextSink {
  private readonly stream: Writable;
  private waiting: string;
  private failure: Error | null;

  constructor(stream: Writable) {
    this.stream = stream;
    this.waiting = '';
    this.failure = null;
    stream.on('error', (error) => {
      this.failure ??= error;
    });
  }

  write(text: string): void {
    this.waiting += text;
  }

  async drained(): Promise<void> {
    if (this.waiting.length >= PIECE_SIZE) await this.flush();
  }

  /** Hands everything over, and waits until the stream has taken it. */
  async flush(): Promise<void> {
    const text = this.waiting;
    this.waiting = '';
    if (text !== '' && this.failure === null && !this.stream.write(text)) {
      // A failure ends the wait as well; it is looked at below.
      await once(this.stream, 'drain').catch(() => undefined);
    }
    if (this.failure === null) return;
    if ('code' in this.failure && this.failure.code === 'EPIPE') throw new OutputClosedError();
    throw this.failure;
  }
}
