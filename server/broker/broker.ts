/**
 * The broker: its vhosts over one data directory, sharing a clock, a reactor and memory. It opens them, writes
 * their checkpoints when they are due, and closes them in order.
 */
import { Clock } from '../base/clock.ts';
import { FileCache } from '../storage/file-cache.ts';
import type { FileSystem } from '../storage/fs.ts';
import type { LogState } from '../storage/log-health.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { MessageStore } from '../storage/message-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Reactor } from './reactor.ts';
import { Vhost } from './vhost.ts';
import { restoreVhost } from './vhost-recovery.ts';
import type { VhostStore } from './vhost-store.ts';

/** How often the broker asks each log whether a checkpoint is due. */
const CHECKPOINT_CHECK_MS = 250;

/** All vhosts of a server. */
export class Broker {
  readonly clock: Clock;
  readonly reactor: Reactor;
  readonly vhosts: ReadonlyMap<string, Vhost>;
  private readonly logger: Logger;
  private readonly pool: BlockPool;
  private readonly cache: FileCache;
  private readonly checkpointTimer: NodeJS.Timeout;

  /**
   * Recovers every vhost and opens it.
   *
   * @throws StorageError when a folder cannot be read or written at all
   */
  constructor(fs: FileSystem, vhostStore: VhostStore, logger: Logger) {
    this.logger = logger;
    this.clock = new Clock();
    this.pool = new BlockPool();
    this.cache = new FileCache(fs);
    this.reactor = new Reactor(this.clock, (err) => {
      logger.error({ event: 'turn.fail', err }, 'a step of a turn failed');
    });
    const vhosts = new Map<string, Vhost>();
    for (const name of vhostStore.names) {
      vhosts.set(name, this.openVhost(fs, name, vhostStore.folderOf(name)));
    }
    this.vhosts = vhosts;
    this.checkpointTimer = setInterval(() => this.checkpointDue(), CHECKPOINT_CHECK_MS);
    this.checkpointTimer.unref();
  }

  /** Writes a clean checkpoint of every vhost and closes it. Nobody publishes any more. */
  async close(): Promise<void> {
    clearInterval(this.checkpointTimer);
    for (const vhost of this.vhosts.values()) {
      try {
        await vhost.store.checkpoint(vhost, true);
      } catch (err) {
        this.logger.error(
          { event: 'checkpoint.fail', vhost: vhost.name, err },
          'the last checkpoint failed: the next start reads the log',
        );
      }
      vhost.store.close();
    }
  }

  /** Whether every vhost can write its log now. */
  health(): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
    for (const { name, store } of this.vhosts.values()) {
      const { failing } = store.log.state;
      if (failing !== null) return { ok: false, reason: `vhost ${name}: ${failing.message}` };
    }
    return { ok: true };
  }

  private openVhost(fs: FileSystem, name: string, directory: string): Vhost {
    const log = this.logger.child({ component: 'storage', vhost: name });
    const startedAt = performance.now();
    const { store, recovered } = MessageStore.open({
      fs,
      directory,
      pool: this.pool,
      clock: this.clock,
      events: {
        turnNeeded: () => this.reactor.schedule(),
        durable: () => this.reactor.schedule(),
        stateChanged: (state) => reportState(log, state),
      },
      cache: this.cache,
    });
    const vhost = new Vhost(name, store, this.reactor, recovered.nextQueueNumber);
    const problems = restoreVhost(vhost, recovered);
    for (const { path, reason } of recovered.damage) {
      log.warn({ event: 'recovery.damage', path, reason }, 'a file is not as it must be');
    }
    for (const reason of problems) {
      log.warn({ event: 'recovery.damage', path: directory, reason }, 'definitions do not add up');
    }
    log.info(
      {
        event: 'vhost.open',
        clean: recovered.clean,
        queues: vhost.queues.size,
        messages: [...vhost.queues.values()].reduce((sum, q) => sum + q.index.readyCount, 0),
        elapsedMs: Math.round(performance.now() - startedAt),
      },
      'vhost is open',
    );
    this.reactor.addLog(store.log);
    return vhost;
  }

  private checkpointDue(): void {
    for (const vhost of this.vhosts.values()) {
      if (!vhost.store.checkpointDue) continue;
      vhost.store.checkpoint(vhost, false).catch((err: unknown) => {
        this.logger.error(
          { event: 'checkpoint.fail', vhost: vhost.name, err },
          'a checkpoint failed: the ones before still count',
        );
      });
    }
  }
}

function reportState(log: Logger, state: LogState): void {
  const { failing: err, behind, diskFull } = state;
  if (err !== null) {
    log.error({ event: 'log.fail', err }, 'the disk refuses: nothing is confirmed until it takes');
  } else if (diskFull) log.warn({ event: 'log.full', behind }, 'the disk is full');
  else if (behind) log.warn({ event: 'log.behind' }, 'the disk is far behind');
  else log.info({ event: 'log.well' }, 'the log is written as it should be');
}
