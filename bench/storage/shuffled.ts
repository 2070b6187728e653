/** Numbers in random order, the same in every run. */

/** A copy of `numbers` in an order that `seed` (1 or more) decides: Fisher and Yates, drawn by xorshift32. */
export function shuffled(numbers: Uint32Array, seed: number): Uint32Array {
  const copy = numbers.slice();
  let state = seed;
  for (let i = copy.length - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    const other = copy[j]!;
    copy[j] = copy[i]!;
    copy[i] = other;
  }
  return copy;
}
