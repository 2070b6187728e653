/** What a confirm takes without a broker: a round trip to a server that only syncs what it gets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { PinnedProcess } from '../targets/pinned-process.ts';

const MAIN = fileURLToPath(new URL('../targets/syncing-echo-main.js', import.meta.url));
/** About what a small message takes in the log. */
const MESSAGE = Buffer.alloc(110, 0x66);

/** Asks one such server, one message after the other. */
export class SyncingEcho {
  private readonly child: PinnedProcess;
  private readonly socket: Socket;

  private constructor(child: PinnedProcess, socket: Socket) {
    this.child = child;
    this.socket = socket;
  }

  /** Starts a server on `core` with a file in `directory`. */
  static async start(core: number | null, directory: string): Promise<SyncingEcho> {
    const child = await PinnedProcess.spawn(core, [
      process.execPath,
      MAIN,
      join(directory, 'echo'),
    ]);
    const port = await child.findLine((line) => Number(line));
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new SyncingEcho(child, socket);
  }

  /** Sends `count` messages; for each the microseconds until it was back. */
  async measure(count: number): Promise<number[]> {
    const latenciesUs: number[] = [];
    for (let i = 0; i < count; i++) {
      const startedMs = performance.now();
      this.socket.write(MESSAGE);
      await once(this.socket, 'data');
      latenciesUs.push((performance.now() - startedMs) * 1000);
    }
    return latenciesUs;
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.child.terminate();
  }
}
