/** Whether all bytes of `buf[from..to)` are zero. */
export function isZero(buf: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (buf[at] !== 0) return false;
  return true;
}
