/**
 * What keeps the server from taking more: memory or disk past a mark, a full disk, a log that is too far ahead of
 * its disk. State alone: who measures is resource-monitor.ts and the log, who holds publishes back is
 * amqp/held-input.ts.
 *
 * - `holdsPublishes`: no publish is carried out, on whatever connection it comes.
 * - `holdsDefinitions`: nothing durable is declared or bound. What removes something goes on, since it makes room.
 * - `reason`: what a held connection is told; empty when there is nothing to tell. A log that is only behind its
 *   disk will have caught up in a moment, so nobody is told of that.
 */
import type { Logger } from '../telemetry/logger.ts';

/** What can run out. */
export type Resource = 'memory' | 'disk';

/** How a log stands to its disk. */
export interface LogState {
  /** So much is unsynced that publishers have to wait. */
  readonly behind: boolean;
  /** A write was refused for want of space, or nearly. */
  readonly diskFull: boolean;
}

/** Held back by an alarm; told of every change, until it waits no longer. */
export interface AlarmListener {
  alarmsChanged(): void;
}

/** Thrown, before anything has changed, by what an alarm holds back: it is to be asked for again when that ends. */
export class HeldByAlarm extends Error {}

/** The alarms of a server. */
export class Alarms {
  /** HOT: looked at per publish. */
  holdsPublishes: boolean;
  holdsDefinitions: boolean;
  /** RabbitMQ's words: `low on memory`, `low on disk`, `low on memory & disk`; or empty. */
  reason: string;
  private readonly logger: Logger;
  private readonly low: Set<Resource>;
  private readonly logs: Map<string, LogState>;
  private readonly listeners: Set<AlarmListener>;

  constructor(logger: Logger) {
    this.holdsPublishes = false;
    this.holdsDefinitions = false;
    this.reason = '';
    this.logger = logger;
    this.low = new Set();
    this.logs = new Map();
    this.listeners = new Set();
  }

  /** A resource has passed its mark, or there is enough of it again. */
  setLow(resource: Resource, isLow: boolean): void {
    if (this.low.has(resource) === isLow) return;
    if (isLow) this.low.add(resource);
    else this.low.delete(resource);
    this.update();
  }

  /** The log of a vhost has another state. */
  setLogState(vhost: string, state: LogState): void {
    this.logs.set(vhost, state);
    this.update();
  }

  /** The log of a vhost is gone. */
  forgetLog(vhost: string): void {
    if (this.logs.delete(vhost)) this.update();
  }

  /** Tells `listener` of every change until {@link unlisten}. */
  listen(listener: AlarmListener): void {
    this.listeners.add(listener);
  }

  unlisten(listener: AlarmListener): void {
    this.listeners.delete(listener);
  }

  private update(): void {
    const logs = [...this.logs.values()];
    const isFull = logs.some((state) => state.diskFull);
    const lowOn = (['memory', 'disk'] as const).filter(
      (resource) => this.low.has(resource) || (resource === 'disk' && isFull),
    );
    const reason = lowOn.length === 0 ? '' : `low on ${lowOn.join(' & ')}`;
    this.holdsDefinitions = isFull;
    this.holdsPublishes = reason !== '' || logs.some((state) => state.behind);
    if (reason !== this.reason) this.tell(reason);
    this.reason = reason;
    for (const listener of [...this.listeners]) listener.alarmsChanged();
  }

  private tell(reason: string): void {
    if (reason === '') {
      this.logger.info({ event: 'alarm.end', reason: this.reason }, 'publishers go on');
    } else {
      this.logger.warn({ event: 'alarm.raise', reason }, 'publishers are blocked');
    }
  }
}
