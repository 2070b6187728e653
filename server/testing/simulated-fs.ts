/**
 * A file system in memory that loses power on request: the page cache and the disk under it, kept apart.
 *
 *     writeAt, truncate ──> visible ──datasync──> stable        content, per file
 *     create, rename, delete ──> names ──syncDirectory──> stable names
 *
 * - A change is visible at once and stable once a sync that *began after it* has ended.
 * - {@link SimulatedFs.crash} gives the disk that the next boot finds: all that is stable, and of the rest
 *   whatever the dice say: each write kept, lost or torn at a byte, each change of a name kept or not, in
 *   any combination. A killed process, other than lost power, leaves the page cache as it was.
 * - Every call that changes something is one step; {@link SimulatedFs.stopAfter} ends the machine between two
 *   of them, and from then on every call fails.
 *
 * Folders are always stable; permissions, times and the size of the disk are not modelled.
 */
import { basename, dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { Random } from './random.ts';

/** The kinds of steps, for {@link SimulatedFs.failNext}. */
export type SimulatedStep =
  | 'write'
  | 'truncate'
  | 'sync'
  | 'syncDirectory'
  | 'create'
  | 'rename'
  | 'delete';

/** How a machine behaves. */
export interface SimulatedFsOptions {
  /** `later`: syncs and reads end by themselves in a later turn; `manual`: when the test says so. */
  readonly completion?: 'later' | 'manual';
  /** False: a sync claims success and makes nothing stable. */
  readonly syncs?: boolean;
}

/** What ended the life of a machine. */
export type CrashKind = 'power' | 'kill';

type Change =
  | { readonly id: number; readonly offset: number; readonly bytes: Buffer }
  | { readonly id: number; readonly size: number };

/** A file's content, apart from its names. */
class Inode {
  visible: Content;
  stable: Content;
  /** Changes not yet stable, oldest first. */
  changes: Change[];

  constructor() {
    this.visible = new Content();
    this.stable = new Content();
    this.changes = [];
  }

  apply(change: Change): void {
    this.visible.apply(change);
    this.changes.push(change);
  }

  /** Makes the changes up to `id` stable. */
  stabilise(id: number): void {
    while (this.changes.length > 0 && this.changes[0]!.id <= id) {
      this.stable.apply(this.changes.shift()!);
    }
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
    const survivor = this.stable.copy();
    for (const change of this.changes) {
      if (!('bytes' in change)) {
        if (dice.keeps()) survivor.apply(change);
        continue;
      }
      const kept = dice.bytesKept(change.bytes.length);
      if (kept > 0) survivor.apply({ ...change, bytes: change.bytes.subarray(0, kept) });
    }
    const inode = new Inode();
    inode.visible = survivor;
    inode.stable = survivor.copy();
    return inode;
  }
}

/** Bytes that grow at the end. */
class Content {
  private buf: Buffer;
  size: number;

  constructor() {
    this.buf = Buffer.alloc(0);
    this.size = 0;
  }

  get bytes(): Buffer {
    return this.buf.subarray(0, this.size);
  }

  apply(change: Change): void {
    if ('bytes' in change) {
      this.resize(Math.max(this.size, change.offset + change.bytes.length));
      change.bytes.copy(this.buf, change.offset);
    } else {
      this.resize(change.size);
    }
  }

  copy(): Content {
    const copy = new Content();
    copy.buf = Buffer.from(this.bytes);
    copy.size = this.size;
    return copy;
  }

  private resize(size: number): void {
    if (size < this.size) this.buf.fill(0, size, this.size);
    if (size > this.buf.length) {
      const grown = Buffer.alloc(Math.max(size, 2 * this.buf.length));
      this.bytes.copy(grown);
      this.buf = grown;
    }
    this.size = size;
  }
}

/** One change of names, which happens whole or not at all: each path gets the file, or none. */
interface NameChange {
  readonly id: number;
  readonly directory: string;
  readonly bindings: readonly { readonly path: string; readonly inode: Inode | null }[];
}

/** Decides what of the unsynced changes survives; some crashes keep nothing, some all, most a mixture. */
class CrashDice {
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

  bytesKept(length: number): number {
    if (this.random.chance(this.tearShare)) return this.random.below(length);
    return this.keeps() ? length : 0;
  }
}

/** The simulated machine's disk and page cache. */
export class SimulatedFs implements FileSystem {
  /** Steps taken so far. */
  steps: number;
  private readonly options: Required<SimulatedFsOptions>;
  private readonly directories: Set<string>;
  private readonly names: Map<string, Inode>;
  private stableNames: Map<string, Inode>;
  private nameChanges: NameChange[];
  private nextId: number;
  private stopAt: number;
  private readonly failures: { step: SimulatedStep; errno: string }[];
  private readonly waiting: (() => void)[];

  constructor(options: SimulatedFsOptions = {}) {
    this.steps = 0;
    this.options = { completion: 'later', syncs: true, ...options };
    this.directories = new Set();
    this.names = new Map();
    this.stableNames = new Map();
    this.nameChanges = [];
    this.nextId = 1;
    this.stopAt = Number.POSITIVE_INFINITY;
    this.failures = [];
    this.waiting = [];
  }

  // --- what the test decides -------------------------------------------------------------------

  /** The machine stops after `steps` more steps. */
  stopAfter(steps: number): void {
    this.stopAt = this.steps + steps;
  }

  /** True once the machine has stopped. */
  get hasStopped(): boolean {
    return this.steps > this.stopAt;
  }

  /** The next step of this kind fails with `errno` and does nothing. */
  failNext(step: SimulatedStep, errno: string): void {
    this.failures.push({ step, errno });
  }

  /** Syncs and reads under way. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Ends the oldest `count` syncs and reads under way. */
  complete(count: number = this.waiting.length): void {
    for (const end of this.waiting.splice(0, count)) end();
  }

  /** The machine as the next boot finds it; this one is of no use any more. */
  crash(kind: CrashKind, random: Random): SimulatedFs {
    const next = kind === 'kill' ? this.copy() : this.afterPowerLoss(new CrashDice(random));
    this.stopAt = -1;
    return next;
  }

  /** A machine like this one, page cache and all, for another course of events. */
  copy(): SimulatedFs {
    const next = this.emptyMachine();
    const copyOf = memoised((inode: Inode) => inode.copy());
    for (const [path, inode] of this.names) next.names.set(path, copyOf(inode));
    for (const [path, inode] of this.stableNames) next.stableNames.set(path, copyOf(inode));
    next.nameChanges = this.nameChanges.map((change) => ({
      ...change,
      bindings: change.bindings.map(({ path, inode }) => ({
        path,
        inode: inode === null ? null : copyOf(inode),
      })),
    }));
    return next;
  }

  private afterPowerLoss(dice: CrashDice): SimulatedFs {
    const next = this.emptyMachine();
    const survivorOf = memoised((inode: Inode) => inode.afterPowerLoss(dice));
    const names = new Map(this.stableNames);
    for (const change of this.nameChanges) if (dice.keeps()) bind(names, change);
    for (const [path, inode] of names) next.names.set(path, survivorOf(inode));
    next.stableNames = new Map(next.names);
    return next;
  }

  private emptyMachine(): SimulatedFs {
    const next = new SimulatedFs(this.options);
    for (const directory of this.directories) next.directories.add(directory);
    next.nextId = this.nextId;
    return next;
  }

  // --- the file system -------------------------------------------------------------------------

  makeDirectory(path: string): void {
    for (let p = path; !this.directories.has(p) && p !== dirname(p); p = dirname(p)) {
      this.directories.add(p);
    }
  }

  list(path: string): readonly string[] {
    const paths = [...this.names.keys(), ...this.directories];
    return paths
      .filter((p) => p !== path && dirname(p) === path)
      .map((p) => basename(p))
      .sort();
  }

  openForReading(path: string): OpenFile {
    const inode = this.names.get(path);
    if (inode === undefined) throw new StorageError(path, 'open failed: no such file', 'ENOENT');
    return new SimulatedFile(this, path, inode);
  }

  openForWriting(path: string): OpenFile {
    let inode = this.names.get(path);
    if (inode === undefined) {
      this.step('create', path);
      inode = new Inode();
      this.changeNames(dirname(path), [{ path, inode }]);
    }
    return new SimulatedFile(this, path, inode);
  }

  readFile(path: string): Buffer | null {
    const inode = this.names.get(path);
    return inode === undefined ? null : Buffer.from(inode.visible.bytes);
  }

  rename(from: string, to: string): void {
    this.step('rename', from);
    const inode = this.names.get(from);
    if (inode === undefined) throw new StorageError(from, 'rename failed: no such file', 'ENOENT');
    this.changeNames(dirname(to), [
      { path: from, inode: null },
      { path: to, inode },
    ]);
  }

  delete(path: string): void {
    this.step('delete', path);
    if (this.names.has(path)) this.changeNames(dirname(path), [{ path, inode: null }]);
  }

  async deleteLater(path: string): Promise<void> {
    await this.later(path, 'delete', () => {
      if (this.names.has(path)) this.changeNames(dirname(path), [{ path, inode: null }]);
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const id = this.nextId - 1;
    await this.later(path, 'syncDirectory', () => this.stabiliseNames(path, id));
  }

  syncDirectoryNow(path: string): void {
    this.step('syncDirectory', path);
    this.stabiliseNames(path, this.nextId - 1);
  }

  // --- for the files ---------------------------------------------------------------------------

  /** Takes one step, or fails as the test wished. */
  step(step: SimulatedStep, path: string): void {
    this.steps++;
    if (this.hasStopped) throw new StorageError(path, 'the machine has stopped', 'EIO');
    const at = this.failures.findIndex((failure) => failure.step === step);
    if (at < 0) return;
    const [failure] = this.failures.splice(at, 1);
    throw new StorageError(path, `${step} failed as the test wished`, failure!.errno);
  }

  change(inode: Inode, what: { offset: number; bytes: Buffer } | { size: number }): void {
    inode.apply({ id: this.nextId++, ...what });
  }

  lastChange(): number {
    return this.nextId - 1;
  }

  stabilise(inode: Inode, id: number): void {
    if (this.options.syncs) inode.stabilise(id);
  }

  /** Does `action`, which is a step of this kind or a read (null), in a later turn. */
  later<T>(path: string, step: SimulatedStep | null, action: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        try {
          if (step !== null) this.step(step, path);
          else if (this.hasStopped) throw new StorageError(path, 'the machine has stopped', 'EIO');
          resolve(action());
        } catch (error) {
          reject(StorageError.from(path, step ?? 'read', error));
        }
      };
      this.waiting.push(end);
      if (this.options.completion === 'later') setImmediate(() => this.complete(1));
    });
  }

  private changeNames(directory: string, bindings: NameChange['bindings']): void {
    const change = { id: this.nextId++, directory, bindings };
    bind(this.names, change);
    this.nameChanges.push(change);
  }

  private stabiliseNames(directory: string, id: number): void {
    if (!this.options.syncs) return;
    const isStable = (change: NameChange): boolean =>
      change.directory === directory && change.id <= id;
    for (const change of this.nameChanges) if (isStable(change)) bind(this.stableNames, change);
    this.nameChanges = this.nameChanges.filter((change) => !isStable(change));
  }
}

class SimulatedFile implements OpenFile {
  readonly path: string;
  private readonly fs: SimulatedFs;
  private readonly inode: Inode;

  constructor(fs: SimulatedFs, path: string, inode: Inode) {
    this.path = path;
    this.fs = fs;
    this.inode = inode;
  }

  size(): number {
    return this.inode.visible.size;
  }

  writeAt(buf: Buffer, start: number, end: number, position: number): void {
    this.fs.step('write', this.path);
    this.fs.change(this.inode, { offset: position, bytes: Buffer.from(buf.subarray(start, end)) });
  }

  async datasync(): Promise<void> {
    const id = this.fs.lastChange();
    await this.fs.later(this.path, 'sync', () => this.fs.stabilise(this.inode, id));
  }

  datasyncNow(): void {
    this.fs.step('sync', this.path);
    this.fs.stabilise(this.inode, this.fs.lastChange());
  }

  readAt(buf: Buffer, start: number, length: number, position: number): Promise<number> {
    return this.fs.later(this.path, null, () => this.readNow(buf, start, length, position));
  }

  readNow(buf: Buffer, start: number, length: number, position: number): number {
    const { bytes } = this.inode.visible;
    return bytes.subarray(position, position + length).copy(buf, start);
  }

  truncate(size: number): void {
    this.fs.step('truncate', this.path);
    this.fs.change(this.inode, { size });
  }

  close(): void {}
}

function bind(names: Map<string, Inode>, change: NameChange): void {
  for (const { path, inode } of change.bindings) {
    if (inode === null) names.delete(path);
    else names.set(path, inode);
  }
}

function memoised(make: (inode: Inode) => Inode): (inode: Inode) => Inode {
  const made = new Map<Inode, Inode>();
  return (inode) => {
    const result = made.get(inode) ?? make(inode);
    made.set(inode, result);
    return result;
  };
}
