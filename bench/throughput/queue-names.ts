/** The names of a run's queues, as `--queue-pattern` makes them. */

const PLACEHOLDER = '%';
/** A lane of the stamps is a producer and a queue: there are not more of them. */
const QUEUE_COUNT_MAX = 100_000;

/**
 * The pattern with each number from `from` to `to` in place of its `%`.
 *
 * @throws Error when there is no `%`, the numbers run backward, or there are more than 100,000
 */
export function expandQueuePattern(pattern: string, from: number, to: number): string[] {
  if (!pattern.includes(PLACEHOLDER)) {
    throw new Error(`--queue-pattern needs a ${PLACEHOLDER} where the number goes: ${pattern}`);
  }
  if (from > to) throw new Error(`--queue-pattern-from ${from} is above --queue-pattern-to ${to}`);
  if (to - from >= QUEUE_COUNT_MAX) throw new Error(`at most ${QUEUE_COUNT_MAX} queues`);
  return Array.from({ length: to - from + 1 }, (_, i) =>
    pattern.replace(PLACEHOLDER, String(from + i)),
  );
}
