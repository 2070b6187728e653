/**
 * The real broker and its real AMQP sessions over a simulated disk, in a time that stands still: everything from a
 * client's frames to the bytes on the disk, but sockets, listeners and the thread pool.
 */
import { join } from 'node:path';
import { Connection } from '../../amqp/connection.ts';
import type { AmqpServices } from '../../amqp/services.ts';
import { UserStore } from '../../auth/user-store.ts';
import { nextTurn } from '../../base/next-turn.ts';
import { Broker, type BrokerTuning } from '../../broker/broker.ts';
import type { Vhost } from '../../broker/vhost.ts';
import { folderNameOf } from '../../broker/vhost-document.ts';
import { VhostStore } from '../../broker/vhost-store.ts';
import { createConfig } from '../../config/config.ts';
import { RESERVE_FILE } from '../../storage/disk-reserve.ts';
import type { FileSystem } from '../../storage/fs.ts';
import type { LogFields, Logger } from '../../telemetry/logger.ts';
import { memoryServices } from '../memory-services.ts';
import type { SimulatedFs } from '../simulated-fs.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { Complaint } from './complaints.ts';
import { MemoryClient, type MemoryClientListener } from './memory-client.ts';

const DATA_DIRECTORY = '/data';
/** Turns after which something that should have happened is given up. */
const TURNS_MAX = 20_000;
const FRAME_MAX = 131_072;
/** Thousands of brokers share a process, each for a moment: with usual regions half of the time went to the collector. */
const REGION_BYTES = 2 * 1024 * 1024;
/** Small sizes, so that what is rare happens in the short life of a broker here. */
const TUNING: BrokerTuning = {
  compactedFileSizeMin: 2048,
  reserveBytes: 262_144,
  reserveFromBytes: 0,
  regionBytes: REGION_BYTES,
  transientMemoryBytes: 65_536,
  // Rows so short that queues of a run have some on disk.
  indexRowEntries: 16,
  limits: {
    segmentBytes: 16_384,
    layOutBytes: 4096,
    unsyncedBytes: 100_000,
    behindBytes: 400_000,
    caughtUpBytes: 100_000,
  },
};

/** What a machine is built from. */
export interface MachineParts {
  readonly fs: SimulatedFs;
  readonly time: VirtualTime;
  /** What the broker is given as its disk; the simulated one itself unless something stands between. */
  readonly disk?: FileSystem;
}

/** One life of a broker. */
export class Machine {
  readonly fs: SimulatedFs;
  readonly complaints: Complaint[];
  private readonly time: VirtualTime;
  private readonly clients: MemoryClient[];
  private services: AmqpServices | null;
  private readonly disk: FileSystem;

  private constructor({ fs, time, disk }: MachineParts) {
    this.fs = fs;
    this.disk = disk ?? fs;
    this.time = time;
    this.complaints = [];
    this.clients = [];
    this.services = null;
  }

  /** Starts a broker on what the disk holds. */
  static async boot(parts: MachineParts): Promise<Machine> {
    const machine = new Machine(parts);
    await machine.finish('start', machine.start());
    return machine;
  }

  private async start(): Promise<void> {
    const { disk, log } = this;
    const config = createConfig({ dataDir: DATA_DIRECTORY });
    disk.makeDirectory(DATA_DIRECTORY);
    const users = await UserStore.load(disk, DATA_DIRECTORY, config);
    const vhosts = await VhostStore.load(disk, DATA_DIRECTORY);
    const broker = new Broker(disk, vhosts, log, TUNING);
    this.services = memoryServices({ config, users, broker }, REGION_BYTES);
  }

  /** The folder of the vhost `/`. */
  get vhostDirectory(): string {
    return join(DATA_DIRECTORY, folderNameOf('/'));
  }

  /** Whether space is held back for when the disk is full. */
  get hasReserve(): boolean {
    return this.fs.peek(join(DATA_DIRECTORY, RESERVE_FILE), 0, 0) !== null;
  }

  get vhost(): Vhost {
    return this.running.broker.vhosts.get('/')!;
  }

  /** Whether publishes wait in their connections, and whether durable declares and bindings do. */
  get holds(): { readonly publishes: boolean; readonly definitions: boolean } {
    const { holdsPublishes: publishes, holdsDefinitions: definitions } = this.running.broker.alarms;
    return { publishes, definitions };
  }

  /** A new connection to the vhost `/`, its handshake sent. */
  connect(listener: MemoryClientListener): MemoryClient {
    const client = new MemoryClient(listener);
    this.clients.push(client);
    new Connection(client.socket.asTransport, this.running, { closed: () => {} }, this.log);
    client.open(FRAME_MAX);
    return client;
  }

  /** Lets the loop turn once, time pass, and the disk answer some of what it was asked. */
  async turn(ms: number, answers: number): Promise<void> {
    this.time.advance(ms);
    this.fs.complete(answers);
    await nextTurn();
  }

  /** Turns, with a disk that answers at once, until `isDone`. Rejects when that never comes. */
  async until(what: string, isDone: () => boolean): Promise<void> {
    for (let turns = 0; !isDone(); turns++) {
      if (turns > TURNS_MAX) throw new Error(`no ${what} in ${TURNS_MAX} turns`);
      await this.turn(turns % 10 === 9 ? 100 : 0, Number.POSITIVE_INFINITY);
    }
  }

  /** The same for a promise. */
  async finish<T>(what: string, promise: Promise<T>): Promise<T> {
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    promise.then(end, end);
    await this.until(what, () => ended);
    return promise;
  }

  /**
   * Stops in order, once all clients have left: the last checkpoint is written. False when the disk refuses it,
   * and the broker has said so: it was no stop in order then.
   */
  async stop(): Promise<boolean> {
    await this.until('end of the connections', () => this.clients.every((c) => c.isClosed));
    const said = this.complaints.length;
    await this.finish('stop', this.running.broker.close());
    this.time.clear();
    return this.complaints
      .slice(said)
      .every(({ event }) => !/^(checkpoint\.fail|stop\.)/.test(event));
  }

  /** The process is gone, and its memory with it. */
  abandon(): void {
    this.fs.stopNow();
    this.time.clear();
    for (const { store } of this.services?.broker.vhosts.values() ?? []) {
      try {
        store.close();
      } catch {
        // It may still want something of the disk: nobody is there to hear.
      }
    }
    this.services = null;
  }

  private get running(): AmqpServices {
    if (this.services === null) throw new Error('the machine is off');
    return this.services;
  }

  private readonly log: Logger = this.createLog();

  private createLog(): Logger {
    const ignore = (): void => {};
    const note = (fields: LogFields, message: string): void => {
      const { event, ...rest } = fields;
      this.complaints.push({ event, text: `${event}: ${message} ${describe(rest)}` });
    };
    const log: Logger = {
      fatal: note,
      error: note,
      warn: note,
      info: ignore,
      debug: ignore,
      trace: ignore,
      child: () => log,
      isLevelEnabled: () => false,
    };
    return log;
  }
}

function describe(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(
      ([key, value]) => `${key}=${value instanceof Error ? describeError(value) : String(value)}`,
    )
    .join(' ');
}

function describeError(error: Error): string {
  return `${error.stack} ${error.cause instanceof Error ? describeError(error.cause) : ''}`;
}
