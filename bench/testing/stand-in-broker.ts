/**
 * A stand-in for a broker that keeps no messages, only their number. It exists to measure the generator's
 * own ceiling and to test the generator: no broker is faster than one that does nothing.
 *
 * One queue stands for all names. Every publish makes one message ready; every delivery is the same but
 * for its tag. Confirms leave once a read, with `multiple`. It checks nothing, requeues nothing, and
 * knows only the methods that the generator sends.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { StandInQueue } from './stand-in-queue.ts';
import { StandInSession } from './stand-in-session.ts';

/** A listening stand-in, on loopback. */
export class StandInBroker {
  readonly queue: StandInQueue;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;

  private constructor(queue: StandInQueue) {
    this.queue = queue;
    this.sockets = new Set();
    this.server = createServer({ noDelay: true }, (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      new StandInSession(socket, queue).start();
    });
  }

  /**
   * Listens on a free port of 127.0.0.1.
   *
   * @param bodySizeBytes of every delivery
   */
  static async start(bodySizeBytes: number): Promise<StandInBroker> {
    const broker = new StandInBroker(new StandInQueue(bodySizeBytes));
    await new Promise<void>((resolve) => broker.server.listen(0, '127.0.0.1', resolve));
    return broker;
  }

  /** `amqp://127.0.0.1:PORT`. */
  get uri(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `amqp://127.0.0.1:${address.port}`;
  }

  /** Ends every connection without a word. */
  dropConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Drops every connection and stops listening. */
  async stop(): Promise<void> {
    this.dropConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
