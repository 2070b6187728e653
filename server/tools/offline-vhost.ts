/**
 * A vhost as a start of the server would find it, opened over a shadow: nothing of what a start does to the files
 * happens to them.
 */
import { Clock } from '../base/clock.ts';
import { Alarms } from '../broker/alarms.ts';
import type { Queue } from '../broker/queue.ts';
import { Reactor } from '../broker/reactor.ts';
import { Vhost } from '../broker/vhost.ts';
import { restoreVhost } from '../broker/vhost-recovery.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { MessageStore } from '../storage/message-store.ts';
import type { Recovered } from '../storage/recovery.ts';
import { createSilentLogger } from '../telemetry/logger.ts';
import type { Finding } from './finding.ts';
import type { ShadowFileSystem } from './shadow-fs.ts';

/** An open vhost that nobody is connected to. */
export interface OfflineVhost {
  readonly vhost: Vhost;
  readonly store: MessageStore;
  readonly recovered: Recovered;
  /** Sentences about definitions that do not add up. */
  readonly problems: readonly string[];
  /** Damage found since, while it was looked at; each once. */
  readonly later: readonly Finding[];
  /** Its durable queues by name. */
  readonly queues: readonly Queue[];
  close(): void;
}

/**
 * Recovers the vhost in `directory`.
 *
 * @throws StorageError when the directory cannot be read at all
 */
export function openOfflineVhost(
  shadow: ShadowFileSystem,
  directory: string,
  name: string,
): OfflineVhost {
  const clock = new Clock();
  const later = new Map<string, Finding>();
  const { store, recovered } = MessageStore.open({
    fs: shadow,
    directory,
    pool: new BlockPool(),
    clock,
    events: { turnNeeded: () => {}, durable: () => {}, stateChanged: () => {} },
    damaged: (path, reason) => later.set(`${path}: ${reason}`, { path, offset: null, reason }),
  });
  const reactor = new Reactor(clock, (error) => {
    throw error;
  });
  const alarms = new Alarms(createSilentLogger());
  const vhost = new Vhost(name, store, reactor, alarms, recovered.nextQueueNumber);
  const problems = restoreVhost(vhost, recovered);
  const queues = [...vhost.queues.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    vhost,
    store,
    recovered,
    problems,
    get later() {
      return [...later.values()];
    },
    queues,
    close: () => store.close(),
  };
}
