/** Which records of a segment are still wanted: one bit for each offset at which a record may begin. */
export class LiveOffsets {
  private readonly bits: Uint8Array;

  /** For the offsets below `endOffset`. The memory is an eighth of that, and only touched where a bit is set. */
  constructor(endOffset: number) {
    this.bits = new Uint8Array(Math.ceil(endOffset / 8));
  }

  mark(offset: number): void {
    const at = offset >>> 3;
    this.bits[at] = this.bits[at]! | (1 << (offset & 7));
  }

  has(offset: number): boolean {
    return (this.bits[offset >>> 3]! & (1 << (offset & 7))) !== 0;
  }
}
