/**
 * What bodies are filled with: one octet over and over, or with `--random-bodies` octets that no compression shortens.
 *
 * Random octets are cut from a pool that every run makes alike, at a place that follows from lane and number, so that
 * a consumer can verify them, also one in another process.
 */
const FILLING_OCTET = 0x66;
const POOL_BYTES = 2 ** 20;
const XORSHIFT_SEED = 0x9e3779b9;
/** Odd, so that numbers one after the other go all over the pool; 2^32 by the golden ratio. */
const SPREAD = 0x9e3779b1;

/** The same in a producer and in who verifies its messages. */
export class BodyFilling {
  /** From any offset that {@link offsetOf} tells there are as many octets as the longest body has. */
  readonly bytes: Buffer;
  readonly isRandom: boolean;

  constructor(bodySizeMaxBytes: number, isRandom: boolean) {
    this.isRandom = isRandom;
    if (isRandom) {
      this.bytes = Buffer.allocUnsafeSlow(POOL_BYTES + bodySizeMaxBytes);
      fillRandomly(this.bytes);
    } else {
      this.bytes = Buffer.alloc(bodySizeMaxBytes, FILLING_OCTET);
    }
  }

  /** Where the filling of a message begins. HOT per message. */
  offsetOf(lane: number, number: number): number {
    if (!this.isRandom) return 0;
    return (Math.imul(number + lane, SPREAD) >>> 0) % POOL_BYTES;
  }
}

/** xorshift32 (Marsaglia 2003), four octets at a time. */
function fillRandomly(bytes: Buffer): void {
  let state = XORSHIFT_SEED;
  for (let at = 0; at < bytes.length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    if (at + 4 <= bytes.length) bytes.writeInt32LE(state, at);
    else for (let i = at; i < bytes.length; i++) bytes[i] = state >>> (8 * (i - at));
  }
}
