/**
 * The broker: its vhosts over one data directory, sharing a clock, a reactor and memory. It opens them, writes
 * their checkpoints when they are due, and closes them in order.
 */
import { Clock } from '../base/clock.ts';
import type { Damage } from '../storage/damage.ts';
import { DiskReserve } from '../storage/disk-reserve.ts';
import { FileCache } from '../storage/file-cache.ts';
import { refuseForeignFiles } from '../storage/format-version.ts';
import type { FileSystem } from '../storage/fs.ts';
import type { LogState } from '../storage/log-health.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { MessageStore, type StoreTuning } from '../storage/message-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Alarms } from './alarms.ts';
import { closeStore, STOP_RETRY_MS, type StoreEnd } from './close-store.ts';
import { Reactor } from './reactor.ts';
import { Vhost } from './vhost.ts';
import { restoreVhost } from './vhost-recovery.ts';
import type { VhostStore } from './vhost-store.ts';

/** How often the broker asks each store whether a checkpoint or a compaction is due. */
const HOUSEKEEPING_MS = 250;
/** How often the reserve is tried to be taken, or made larger, again. */
const RESERVE_CHECK_MS = 5000;
/** A server whose logs are smaller than this holds no space back where there was much at the start, ... */
const FIRST_RESERVE_FROM_BYTES = 64 * 1024;
/** ... and one whose logs are smaller than this only a little. */
const RESERVE_FROM_BYTES = 16 * 1024 * 1024;

/** Sizes that tests make small, and what the configuration decides. */
export interface BrokerTuning extends StoreTuning {
  /** What is held back on the disk for when it is full. */
  readonly reserveBytes?: number;
  /** How much is held back depends on the size of the logs: all of it from so many bytes on. */
  readonly reserveFromBytes?: number;
  /** Memory that blocks are cut from. */
  readonly regionBytes?: number;
  /** How long a stop asks a disk that refuses again. */
  readonly stopRetryMs?: number;
  /** How long the loop stays awake for clients that ask again at once. */
  readonly busyWaitMs?: number;
}

/** All vhosts of a server. */
export class Broker {
  readonly clock: Clock;
  readonly reactor: Reactor;
  readonly alarms: Alarms;
  readonly vhosts: ReadonlyMap<string, Vhost>;
  private readonly logger: Logger;
  private readonly pool: BlockPool;
  private readonly cache: FileCache;
  private readonly tuning: BrokerTuning;
  private readonly stopRetryMs: number;
  private readonly reserve: DiskReserve;
  /** The disk has had so little room at the start that some of it is held back at once. */
  private readonly isSpaceShort: boolean;
  private reserveWantedBytes: number;
  private reserveCheckMs: number;
  /** It was told that it could not be taken, or is too small. */
  private isReserveSmall: boolean;
  private readonly housekeepingTimer: NodeJS.Timeout;

  /**
   * Recovers every vhost and opens it.
   *
   * @throws StorageError when a folder cannot be read or written at all
   * @throws ForeignFormatError when another version wrote here; nothing was touched then
   */
  constructor(fs: FileSystem, vhostStore: VhostStore, logger: Logger, tuning: BrokerTuning = {}) {
    for (const name of vhostStore.names) refuseForeignFiles(fs, vhostStore.folderOf(name));
    this.logger = logger;
    this.clock = new Clock();
    this.pool = new BlockPool(tuning.regionBytes);
    this.cache = new FileCache(fs);
    this.tuning = tuning;
    this.stopRetryMs = tuning.stopRetryMs ?? STOP_RETRY_MS;
    this.reserve = new DiskReserve(fs, vhostStore.dataDir, tuning.reserveBytes);
    this.isSpaceShort = this.reserve.isSpaceShort;
    this.reserveWantedBytes = 0;
    this.reserveCheckMs = 0;
    this.isReserveSmall = false;
    const turnFailed = (err: unknown) => {
      logger.error({ event: 'turn.fail', err }, 'a step of a turn failed');
    };
    this.reactor = new Reactor(this.clock, turnFailed, tuning.busyWaitMs);
    this.alarms = new Alarms(logger.child({ component: 'broker' }));
    const vhosts = new Map<string, Vhost>();
    for (const name of vhostStore.names) {
      vhosts.set(name, this.openVhost(fs, name, vhostStore.folderOf(name)));
    }
    this.vhosts = vhosts;
    this.housekeepingTimer = setInterval(() => this.keepHouse(), HOUSEKEEPING_MS);
    this.housekeepingTimer.unref();
    // Before publishers can use up what it takes.
    this.keepReserve();
  }

  /**
   * Writes a clean checkpoint of every vhost and closes it. Nobody publishes any more. A disk that refuses is asked
   * again for {@link STOP_RETRY_MS}.
   *
   * @returns false when the disk refused to the end: what was acked last may come back
   */
  async close(): Promise<boolean> {
    clearInterval(this.housekeepingTimer);
    this.clock.tick();
    const ends = await Promise.all(
      [...this.vhosts.values()].map(async (vhost) => {
        vhost.returner.finishAll();
        const end = await closeStore(vhost.store, vhost, this.stopRetryMs);
        reportEnd(this.logger, vhost.name, end);
        return end.kind !== 'unstable';
      }),
    );
    await this.cache.deletionsEnded;
    return ends.every((isStable) => isStable);
  }

  /** Whether every vhost can write its log now. */
  health(): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
    for (const { name, store } of this.vhosts.values()) {
      const { failing } = store.log.state;
      if (failing !== null) return { ok: false, reason: `vhost ${name}: ${failing.message}` };
    }
    return { ok: true };
  }

  /** Somebody who writes beside the logs finds the disk full: publishers and declares wait until it has room. */
  spaceRefused(): void {
    for (const { store } of this.vhosts.values()) store.log.spaceRefused();
  }

  /** Memory of message blocks, in bytes. */
  get blockBytes(): number {
    return this.pool.usedBytes;
  }

  /** Lets go of memory that nobody at rest needs; returns how much, in bytes. Free with the next collection. */
  rest(): number {
    this.reactor.rest();
    for (const { store } of this.vhosts.values()) store.rest();
    return this.pool.trim();
  }

  /** Memory of the indexes of all queues, in bytes. */
  indexBytes(): number {
    let bytes = 0;
    for (const { store } of this.vhosts.values()) bytes += store.chunks.chunkBytes;
    return bytes;
  }

  private openVhost(fs: FileSystem, name: string, directory: string): Vhost {
    const log = this.logger.child({ component: 'storage', vhost: name });
    const startedAt = performance.now();
    const { store, recovered } = MessageStore.open({
      ...this.tuning,
      fs,
      directory,
      pool: this.pool,
      clock: this.clock,
      events: {
        turnNeeded: () => this.reactor.schedule(),
        durable: () => this.reactor.schedule(),
        stateChanged: (state) => {
          reportState(log, state);
          this.alarms.setLogState(name, state);
        },
      },
      cache: this.cache,
      reserve: this.reserve,
      damaged: (path, reason) => {
        log.warn({ event: 'storage.damage', path, reason }, 'a file is not as it must be');
      },
    });
    if (this.reserve.isGivenUp) store.log.spaceRefused();
    const vhost = new Vhost(name, store, this.reactor, this.alarms, recovered.nextQueueNumber);
    const problems = restoreVhost(vhost, recovered);
    reportDamage(log, recovered.damage);
    for (const reason of problems) {
      log.warn({ event: 'recovery.damage', path: directory, reason }, 'definitions do not add up');
    }
    log.info(
      {
        event: 'vhost.open',
        clean: recovered.clean,
        queues: vhost.queues.size,
        messages: [...vhost.queues.values()].reduce((sum, q) => sum + q.readyCount, 0),
        elapsedMs: Math.round(performance.now() - startedAt),
      },
      'vhost is open',
    );
    this.reactor.addTurnEnder(store.log);
    this.reactor.addTurnEnder(vhost.sweep);
    return vhost;
  }

  private keepHouse(): void {
    this.keepReserve();
    for (const vhost of this.vhosts.values()) {
      vhost.store.sweep();
      if (vhost.store.checkpointDue) {
        vhost.store.checkpoint(vhost, false).catch((err: unknown) => {
          this.logger.error(
            { event: 'checkpoint.fail', vhost: vhost.name, err },
            'a checkpoint failed: the ones before still count',
          );
        });
      }
      if (vhost.store.compactionDue) this.compact(vhost);
      this.deleteSpentSegments(vhost);
    }
  }

  /** Holds space back once there is something to lose. A log that found the disk full sees to it itself. */
  private keepReserve(): void {
    const now = this.clock.monotonicMs;
    if (this.reserve.isGivenUp) {
      // It was given up while it was taken, and no log has noticed yet.
      for (const { store } of this.vhosts.values()) {
        if (!store.log.state.diskFull) store.log.spaceRefused();
      }
      return;
    }
    const logs = [...this.vhosts.values()].map(({ store }) => store.log);
    if (logs.some(({ state }) => state.diskFull)) return;
    const bytes = logs.reduce((sum, log) => sum + log.fileBytes, 0);
    const wantedBytes = this.reserveFor(bytes);
    if (wantedBytes === 0) return;
    // The disk may be full before long: no growth waits for the next look.
    if (wantedBytes === this.reserveWantedBytes && now < this.reserveCheckMs) return;
    this.reserveWantedBytes = wantedBytes;
    this.reserveCheckMs = now + RESERVE_CHECK_MS;
    void this.holdReserve(wantedBytes);
  }

  private async holdReserve(bytes: number): Promise<void> {
    const { reserve } = this;
    await reserve.hold(bytes);
    const isSmall = reserve.sizeBytes > 0 && reserve.isSmall && !reserve.isGivenUp;
    if (isSmall && !this.isReserveSmall) {
      this.logger.warn(
        { event: 'reserve.small' },
        'little or no space could be held back: a disk that gets full may need an operator to make room',
      );
    }
    this.isReserveSmall = isSmall;
  }

  /** What logs of so many bytes are to hold back; 0: nothing. */
  private reserveFor(bytes: number): number {
    if (bytes >= (this.tuning.reserveFromBytes ?? RESERVE_FROM_BYTES))
      return this.reserve.sizeBytes;
    const isDue = bytes >= FIRST_RESERVE_FROM_BYTES || this.isSpaceShort;
    return isDue ? this.reserve.firstBytes : 0;
  }

  private deleteSpentSegments({ name, store }: Vhost): void {
    try {
      store.deleteSpentSegments();
    } catch (err) {
      this.logger.error(
        { event: 'segment.delete.fail', vhost: name, err },
        'a segment could not be deleted: it is tried again',
      );
    }
  }

  private compact(vhost: Vhost): void {
    vhost.store.compact(vhost).catch((err: unknown) => {
      this.logger.error(
        { event: 'segment.compact.fail', vhost: vhost.name, err },
        'a segment could not be compacted: it stays as it is',
      );
    });
  }
}

function reportEnd(logger: Logger, vhost: string, end: StoreEnd): void {
  if (end.kind === 'stable') {
    const { error: err } = end;
    logger.error(
      { event: 'checkpoint.fail', vhost, err },
      'the last checkpoint failed: the next start reads the log',
    );
  } else if (end.kind === 'unstable') {
    const { error: err, unstableMs } = end;
    logger.error(
      { event: 'stop.unstable', vhost, err, unstableMs: Math.round(unstableMs) },
      'the disk refused to the end: messages acked in this time may come back, unconfirmed ones may be lost',
    );
  }
}

/** Each damage once: what an earlier start has told is only counted. */
function reportDamage(log: Logger, damage: readonly Damage[]): void {
  for (const { path, reason } of damage.filter(({ isKnown }) => !isKnown)) {
    log.warn({ event: 'recovery.damage', path, reason }, 'a file is not as it must be');
  }
  const known = damage.filter(({ isKnown }) => isKnown).length;
  if (known > 0) {
    log.info({ event: 'recovery.damage.known', count: known }, 'damage that was told before');
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
