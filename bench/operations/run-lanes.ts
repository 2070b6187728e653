/** Several who do the same at once, each one thing after the other. */

/**
 * Calls `step` in each of `count` lanes again and again, until it says false there or the signal ends it. When one
 * throws, the others finish what they are at, and nothing more is begun.
 *
 * @throws what the first step threw, when all have come to rest
 */
export async function runLanes(
  count: number,
  signal: AbortSignal,
  step: (lane: number) => Promise<boolean>,
): Promise<void> {
  const failures: unknown[] = [];
  const run = async (lane: number): Promise<void> => {
    try {
      while (failures.length === 0 && !signal.aborted && (await step(lane)));
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, lane) => run(lane)));
  if (failures.length > 0) throw failures[0];
}
