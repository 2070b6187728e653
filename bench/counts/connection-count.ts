/** Opens many connections, with channels and consumers, and keeps them. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection, createReadBuffer } from '../amqp/bench-connection.ts';
import { declareQueue, startConsumer } from '../amqp/control.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import type { OperationMeter } from '../operations/operation-meter.ts';
import { runLanes } from '../operations/run-lanes.ts';

/** So many are being opened at a time. */
const CONCURRENCY = 100;
/** One address has some 28,000 ports to connect from; others of loopback have as many again. */
const CONNECTIONS_PER_SOURCE = 10_000;

/** What each connection has. */
export interface ConnectionCountOptions {
  readonly uri: AmqpUri;
  /** 1 or more. */
  readonly channels: number;
  readonly consumersPerChannel: number;
  /** Durable, declared where there are consumers; nothing may be published to it. */
  readonly queue: string;
  /** Connect to addresses 127.0.x.y in turn instead of that of the URI. */
  readonly spreadsOverLoopback: boolean;
}

/** Connections that are open. */
export class ConnectionCount {
  /** Product and version as the broker names them. */
  broker: string;
  private readonly options: ConnectionCountOptions;
  private readonly connections: BenchConnection[];
  private readonly readBuffer: Buffer;
  private opened: number;

  constructor(options: ConnectionCountOptions) {
    this.broker = '';
    this.options = options;
    this.connections = [];
    this.readBuffer = createReadBuffer();
    this.opened = 0;
  }

  /** How many are open. */
  get count(): number {
    return this.connections.length;
  }

  /** Resolves when one of them has failed. */
  get whenFailed(): Promise<Error> {
    return Promise.race(this.connections.map((connection) => connection.whenFailed));
  }

  /**
   * Opens so many more, with what each is to have.
   *
   * @param signal stops it with what is open by then
   * @throws Error when the broker refuses one
   */
  async open(count: number, meter: OperationMeter, signal: AbortSignal): Promise<void> {
    const end = this.opened + count;
    await runLanes(Math.min(CONCURRENCY, count), signal, async () => {
      if (this.opened === end) return false;
      const index = this.opened++;
      await meter.time(() => this.openOne(index));
      return true;
    });
  }

  /** Closes all of them; never rejects. */
  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  private async openOne(index: number): Promise<void> {
    const { uri, channels, consumersPerChannel, queue, spreadsOverLoopback } = this.options;
    const host = spreadsOverLoopback ? loopbackAddress(index) : uri.host;
    const connection = await BenchConnection.open({ ...uri, host }, 'firnmqperf count', {
      readBuffer: this.readBuffer,
      localAddress: sourceAddress(host, index),
    });
    this.connections.push(connection);
    this.broker = connection.broker;
    if (consumersPerChannel > 0) await declareQueue(connection, queue, false);
    for (let channel = BENCH_CHANNEL; channel <= channels; channel++) {
      if (channel > BENCH_CHANNEL) await connection.openChannel(channel);
      for (let i = 0; i < consumersPerChannel; i++) {
        await startConsumer(connection, queue, true, `c${i}`, new Map(), channel);
      }
    }
  }
}

/** 127.0.x.y, all of which are this machine. */
function loopbackAddress(index: number): string {
  return `127.0.${(index >>> 8) & 0xff}.${1 + (index % 254)}`;
}

/** null: the system's choice, as long as it has ports enough. */
function sourceAddress(host: string, index: number): string | null {
  const source = Math.floor(index / CONNECTIONS_PER_SOURCE);
  return host.startsWith('127.') && source > 0 ? `127.0.0.${1 + source}` : null;
}
