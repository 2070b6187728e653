/**
 * Keeps the event loop from sleeping until what it returns is called: it takes a core of its own. A process that sleeps
 * takes 10 us and more to wake, which is no work of the broker whose reply it waits for.
 */
export function stayAwake(): () => void {
  let isOver = false;
  const look = (): void => {
    if (!isOver) setImmediate(look);
  };
  look();
  return () => {
    isOver = true;
  };
}
