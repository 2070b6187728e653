/** Resolves when what has come meanwhile has had its turn: between two slices of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
