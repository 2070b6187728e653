/**
 * A relay on the loopback interface between clients and a broker. Its port stays the same when the broker
 * comes back on another one, and it keeps what the clients sent, one buffer for every connection. It
 * changes nothing on the way.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Relay {
  /** The broker's port, for connections that come from now on. */
  targetPort: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;
  private readonly sent: Buffer[][];

  private constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.sockets = new Set();
    this.sent = [];
    this.server = createServer({ noDelay: true }, (downstream) => this.join(downstream));
  }

  /** Listens on a free port and passes everything on to `targetPort` of the loopback interface. */
  static async start(targetPort: number): Promise<Relay> {
    const relay = new Relay(targetPort);
    relay.server.listen(0, '127.0.0.1');
    await once(relay.server, 'listening');
    return relay;
  }

  get url(): string {
    const { port } = this.server.address() as AddressInfo; // a TCP server that listens has no other kind
    return `amqp://guest:guest@127.0.0.1:${port}`;
  }

  /** What the clients sent so far, in the order in which their connections were opened. */
  recordings(): Buffer[] {
    return this.sent.map((chunks) => Buffer.concat(chunks));
  }

  /** Stops listening and drops the connections that are left. */
  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(downstream: Socket): void {
    const upstream = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true });
    const chunks: Buffer[] = [];
    this.sent.push(chunks);
    downstream.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const [socket, other] of [
      [downstream, upstream],
      [upstream, downstream],
    ] as const) {
      this.sockets.add(socket);
      socket.pipe(other);
      // Some clients reset their socket once they have read connection.close-ok.
      socket.on('error', () => other.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    }
  }
}
