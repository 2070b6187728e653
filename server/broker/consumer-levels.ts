/**
 * @hot Which consumer of a queue is next: those of the highest priority that take a message, in turn; lower ones
 * only while no higher one does.
 *
 *     levels   [ 10: a b ]  [ 0: c d e ]  [ -1: f ]      nearly always one level, or none
 */
import type { Consumer } from './consumer.ts';

/** The consumers of one priority. */
export class ConsumerLevel {
  readonly priority: number;
  consumers: readonly Consumer[];
  /** The one that is asked first. */
  private next: number;

  constructor(priority: number) {
    this.priority = priority;
    this.consumers = [];
    this.next = 0;
  }

  /** HOT per delivery. The next consumer in turn that takes a message, or null. */
  nextWilling(): Consumer | null {
    const consumers = this.consumers;
    const count = consumers.length;
    let at = this.next;
    for (let i = 0; i < count; i++) {
      if (at >= count) at = 0;
      const consumer = consumers[at]!;
      at++;
      if (consumer.isWilling) {
        this.next = at;
        return consumer;
      }
    }
    return null;
  }
}

/** HOT per delivery. The next willing consumer of the highest level that has one, or null. */
export function nextWillingConsumer(levels: readonly ConsumerLevel[]): Consumer | null {
  for (let i = 0; i < levels.length; i++) {
    const consumer = levels[i]!.nextWilling();
    if (consumer !== null) return consumer;
  }
  return null;
}

/** The levels with one more consumer, the last of its level. */
export function addToLevels(
  levels: readonly ConsumerLevel[],
  consumer: Consumer,
): readonly ConsumerLevel[] {
  const known = levels.find(({ priority }) => priority === consumer.priority);
  const level = known ?? new ConsumerLevel(consumer.priority);
  level.consumers = [...level.consumers, consumer];
  if (known !== undefined) return levels;
  return [...levels, level].sort((a, b) => b.priority - a.priority);
}

/** The levels without the consumer. */
export function removeFromLevels(
  levels: readonly ConsumerLevel[],
  consumer: Consumer,
): readonly ConsumerLevel[] {
  const level = levels.find(({ priority }) => priority === consumer.priority);
  if (level === undefined) return levels;
  level.consumers = level.consumers.filter((other) => other !== consumer);
  return level.consumers.length > 0 ? levels : levels.filter((other) => other !== level);
}
