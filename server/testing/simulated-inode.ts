/** A simulated file's content, apart from its names: what every read sees, what the disk holds, and between them
 * the changes that no sync has made stable yet. */
import type { Random } from './random.ts';
import { PAGE_SIZE, SparseContent } from './sparse-content.ts';

/** A change of a file's content that is not stable yet. */
export type Change =
  | { readonly id: number; readonly offset: number; readonly bytes: Buffer }
  | { readonly id: number; readonly size: number };

/** Decides what of the unsynced changes survives; some crashes keep nothing, some all, most a mixture. */
export class CrashDice {
  private readonly random: Random;
  private readonly keepShare: number;
  private readonly tearShare: number;

  constructor(random: Random) {
    this.random = random;
    this.keepShare = random.pick([0, 0.2, 0.5, 0.8, 1]);
    this.tearShare = random.pick([0, 0.2]);
  }

  keeps(): boolean {
    return this.random.chance(this.keepShare);
  }

  /** What reaches the disk of a write: nothing, all of it, its beginning, or some of its pages. */
  piecesKept(offset: number, length: number): readonly { from: number; to: number }[] {
    if (!this.random.chance(this.tearShare)) return this.keeps() ? [{ from: 0, to: length }] : [];
    if (this.random.chance(0.5)) return [{ from: 0, to: this.random.below(length) }];
    const pieces: { from: number; to: number }[] = [];
    for (let from = 0; from < length; ) {
      const to = Math.min(length, from + PAGE_SIZE - ((offset + from) % PAGE_SIZE));
      if (this.random.chance(0.5)) pieces.push({ from, to });
      from = to;
    }
    return pieces;
  }
}

/** A file's content. */
export class Inode {
  visible: SparseContent;
  stable: SparseContent;
  /** Changes not yet stable, oldest first. */
  changes: Change[];

  constructor() {
    this.visible = new SparseContent();
    this.stable = new SparseContent();
    this.changes = [];
  }

  apply(change: Change): void {
    applyTo(this.visible, change);
    this.changes.push(change);
  }

  /** Makes the changes up to `id` stable. */
  stabilise(id: number): void {
    const { changes } = this;
    let count = 0;
    while (count < changes.length && changes[count]!.id <= id) {
      applyTo(this.stable, changes[count]!);
      count++;
    }
    changes.splice(0, count);
  }

  /**
   * A sync of the changes up to `id` has failed: what of them has reached the disk is there, and the rest never
   * gets there by a later sync, since the kernel has marked its pages clean. Reads still see all of it.
   */
  failSync(id: number, dice: CrashDice): void {
    const { changes } = this;
    const lost = changes.findIndex((change) => change.id > id);
    const failed = changes.splice(0, lost < 0 ? changes.length : lost);
    for (const change of failed) applyWhatIsKept(this.stable, change, dice);
  }

  copy(): Inode {
    const copy = new Inode();
    copy.visible = this.visible.copy();
    copy.stable = this.stable.copy();
    copy.changes = [...this.changes];
    return copy;
  }

  /** What the disk holds after the power came back. */
  afterPowerLoss(dice: CrashDice): Inode {
    const inode = new Inode();
    inode.visible = this.stable.copy();
    for (const change of this.changes) applyWhatIsKept(inode.visible, change, dice);
    inode.stable = inode.visible.copy();
    return inode;
  }
}

function applyTo(content: SparseContent, change: Change): void {
  if ('bytes' in change) content.write(change.offset, change.bytes);
  else content.truncate(change.size);
}

function applyWhatIsKept(content: SparseContent, change: Change, dice: CrashDice): void {
  if (!('bytes' in change)) {
    if (dice.keeps()) content.truncate(change.size);
    return;
  }
  const { offset, bytes } = change;
  for (const { from, to } of dice.piecesKept(offset, bytes.length)) {
    if (to > from) content.write(offset + from, bytes.subarray(from, to));
  }
}
