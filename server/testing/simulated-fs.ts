/**
 * A file system in memory that loses power on request: the page cache and the disk under it, kept apart.
 *
 *     writeAt, truncate ──> visible ──datasync──> stable        content, per file
 *     create, rename, delete ──> names ──syncDirectory──> stable names
 *
 * - A change is visible at once and stable once a sync that *began after it* has ended.
 * - {@link SimulatedFs.crash} gives the disk that the next boot finds: all that is stable, and of the rest
 *   whatever the dice say: each write kept, lost or torn, each change of a name kept or not, in
 *   any combination. A killed process, other than lost power, leaves the page cache as it was.
 * - A sync that fails has lost what it was to make stable: no later one brings it to the disk, although
 *   everybody still reads it, also after a kill.
 * - The disk may be of limited size, the process limited in open files, and any call may be ordered to fail;
 *   of a write that fails a part may be there. A write may be taken in two pieces, as a kernel may do.
 * - Every call that changes something is one step; {@link SimulatedFs.stopAfter} ends the machine between two
 *   of them, and from then on every call fails. {@link SimulatedFs.onStep} watches them.
 *
 * Folders are always stable and take no space; permissions and times are not modelled.
 */
import { basename, dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';
import { Random } from './random.ts';
import {
  type BadSpell,
  FaultPlan,
  type SimulatedCall,
  type SimulatedStep,
} from './simulated-faults.ts';
import { CrashDice, Inode } from './simulated-inode.ts';
import { PAGE_SIZE } from './sparse-content.ts';

/** How a machine behaves. */
export interface SimulatedFsOptions {
  /** `later`: syncs and reads end by themselves in a later turn; `manual`: when the test says so. */
  readonly completion?: 'later' | 'manual';
  /** False: a sync claims success and makes nothing stable. */
  readonly syncs?: boolean;
  /** Size of the disk in bytes, in pages of 4 KiB. */
  readonly capacityBytes?: number;
  /** Files that may be open at a time. */
  readonly openFilesMax?: number;
  /** Share of the writes that the machine takes in two pieces: between them anything may happen. */
  readonly shortWriteShare?: number;
  /** For what the machine itself leaves to chance: which calls of a bad spell fail, and how far. */
  readonly seed?: number;
}

/** What ended the life of a machine. */
export type CrashKind = 'power' | 'kill';

/** A step as a watcher sees it. */
export interface WatchedStep {
  readonly step: SimulatedStep;
  readonly path: string;
  /** Before it took effect, or after. */
  readonly phase: 'before' | 'after';
}

/** Bytes that were written and are not stable. */
export interface UnsyncedWrite {
  readonly path: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** One change of names, which happens whole or not at all: each path gets the file, or none. */
interface NameChange {
  readonly id: number;
  readonly directory: string;
  readonly step: SimulatedStep;
  readonly bindings: readonly { readonly path: string; readonly inode: Inode | null }[];
}

/** A name in a folder that a crash may undo. */
export interface UnsyncedName {
  readonly step: SimulatedStep;
  readonly paths: readonly string[];
}

/** The simulated machine's disk and page cache. */
export class SimulatedFs implements FileSystem {
  /** Steps taken so far. */
  steps: number;
  /** Called before and after each step that is taken; null: nobody watches. */
  onStep: ((step: WatchedStep) => void) | null;
  private readonly options: Required<SimulatedFsOptions>;
  private readonly random: Random;
  private readonly faults: FaultPlan;
  private readonly directories: Set<string>;
  private readonly names: Map<string, Inode>;
  private stableNames: Map<string, Inode>;
  private nameChanges: NameChange[];
  private nextId: number;
  private stopAt: number;
  private readonly waiting: (() => void)[];
  /** How often each file is open. */
  private readonly open: Map<Inode, number>;
  private openCount: number;

  constructor(options: SimulatedFsOptions = {}) {
    this.steps = 0;
    this.onStep = null;
    this.options = {
      completion: 'later',
      syncs: true,
      capacityBytes: Number.POSITIVE_INFINITY,
      openFilesMax: Number.POSITIVE_INFINITY,
      shortWriteShare: 0,
      seed: 1,
      ...options,
    };
    this.random = new Random(this.options.seed);
    this.faults = new FaultPlan();
    this.directories = new Set();
    this.names = new Map();
    this.stableNames = new Map();
    this.nameChanges = [];
    this.nextId = 1;
    this.stopAt = Number.POSITIVE_INFINITY;
    this.waiting = [];
    this.open = new Map();
    this.openCount = 0;
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

  /** The machine is off: every call from now on fails, and what is under way never ends. */
  stopNow(): void {
    this.stopAt = -1;
    this.onStep = null;
    this.waiting.length = 0;
  }

  /** The next call of this kind fails with `errno` and does nothing; of a sync see above. */
  failNext(call: SimulatedCall, errno: string): void {
    this.faults.failNext(call, errno);
  }

  /** Calls fail for a while. */
  failFor(spell: BadSpell): void {
    this.faults.begin(spell);
  }

  /** Nothing that was ordered to fail fails any more. */
  heal(): void {
    this.faults.end();
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
    this.stopNow();
    return next;
  }

  /** A machine like this one, page cache and all, for another course of events; nothing is open on it. */
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
    const next = new SimulatedFs({ ...this.options, seed: this.random.below(2 ** 32) });
    for (const directory of this.directories) next.directories.add(directory);
    next.nextId = this.nextId;
    return next;
  }

  // --- what a test may look at -------------------------------------------------------------------

  /** Bytes of disk in use: by every file that has a name or is open. */
  get usedBytes(): number {
    const inodes = new Set([...this.names.values(), ...this.open.keys()]);
    let bytes = 0;
    for (const inode of inodes) bytes += inode.visible.allocatedBytes;
    return bytes;
  }

  /** Files open now. */
  get openFileCount(): number {
    return this.openCount;
  }

  /** All files that have a name. */
  get paths(): readonly string[] {
    return [...this.names.keys()];
  }

  /** Up to `length` bytes of a file, as everybody reads them; null: it has no name. No call of the broker's. */
  peek(path: string, offset: number, length: number): Buffer | null {
    return this.names.get(path)?.visible.read(offset, length) ?? null;
  }

  /** What the files with a name were given and a power loss may take. */
  unsyncedWrites(): UnsyncedWrite[] {
    const writes: UnsyncedWrite[] = [];
    for (const [path, { changes }] of this.names) {
      for (const change of changes) {
        if ('bytes' in change) writes.push({ path, offset: change.offset, bytes: change.bytes });
      }
    }
    return writes;
  }

  /** Changes of names in a folder that a power loss may undo, oldest first. */
  unsyncedNames(directory: string): UnsyncedName[] {
    return this.nameChanges
      .filter((change) => change.directory === directory)
      .map(({ step, bindings }) => ({ step, paths: bindings.map(({ path }) => path) }));
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
    this.beforeOpen(path);
    const inode = this.names.get(path);
    if (inode === undefined) throw new StorageError(path, 'open failed: no such file', 'ENOENT');
    return this.opened(path, inode);
  }

  openForWriting(path: string): OpenFile {
    this.beforeOpen(path);
    let inode = this.names.get(path);
    if (inode === undefined) {
      inode = new Inode();
      const created = inode;
      this.take('create', path, () =>
        this.changeNames('create', dirname(path), [{ path, inode: created }]),
      );
    }
    return this.opened(path, inode);
  }

  /** Works on a machine that has stopped, too: tests look at its disk. */
  readFile(path: string): Buffer | null {
    if (!this.hasStopped) this.call('read', path);
    const inode = this.names.get(path);
    return inode === undefined ? null : inode.visible.read(0, inode.visible.size);
  }

  rename(from: string, to: string): void {
    this.take('rename', from, () => {
      const inode = this.names.get(from);
      if (inode === undefined)
        throw new StorageError(from, 'rename failed: no such file', 'ENOENT');
      this.changeNames('rename', dirname(to), [
        { path: from, inode: null },
        { path: to, inode },
      ]);
    });
  }

  async renameLater(from: string, to: string): Promise<void> {
    await this.later(from, 'rename', () => this.rename(from, to));
  }

  delete(path: string): void {
    this.take('delete', path, () => {
      if (this.names.has(path)) this.changeNames('delete', dirname(path), [{ path, inode: null }]);
    });
  }

  async deleteLater(path: string): Promise<void> {
    await this.later(path, 'delete', () => this.delete(path));
  }

  async syncDirectory(path: string): Promise<void> {
    const id = this.nextId - 1;
    await this.later(path, 'sync folder', () => this.syncNames(path, id));
  }

  syncDirectoryNow(path: string): void {
    this.syncNames(path, this.nextId - 1);
  }

  /** Bytes that may still be written. */
  freeBytes(_path: string): number {
    return Math.max(0, this.options.capacityBytes - this.usedBytes);
  }

  // --- for the files ---------------------------------------------------------------------------

  /**
   * Takes one step, or fails as the test wished; `onFault` is told of that failure before it is thrown.
   *
   * @throws StorageError
   */
  take(
    step: SimulatedStep,
    path: string,
    action: () => void,
    onFault: (isPartial: boolean) => void = () => {},
  ): void {
    this.steps++;
    this.requireRunning(path);
    this.onStep?.({ step, path, phase: 'before' });
    const fault = this.faults.judge(step, path, this.random);
    if (fault !== null) {
      onFault(fault.isPartial);
      throw new StorageError(path, `${step} failed as the test wished`, fault.errno);
    }
    action();
    this.onStep?.({ step, path, phase: 'after' });
  }

  /** A call that changes nothing: it may fail, too. */
  call(call: SimulatedCall, path: string): void {
    this.requireRunning(path);
    const fault = this.faults.judge(call, path, this.random);
    if (fault === null) return;
    throw new StorageError(path, `${call} failed as the test wished`, fault.errno);
  }

  write(path: string, inode: Inode, offset: number, bytes: Buffer): void {
    const { shortWriteShare } = this.options;
    const isShort = bytes.length > 1 && shortWriteShare > 0 && this.random.chance(shortWriteShare);
    const first = isShort ? 1 + this.random.below(bytes.length - 1) : bytes.length;
    this.writePiece(path, inode, offset, bytes.subarray(0, first));
    if (isShort) this.writePiece(path, inode, offset + first, bytes.subarray(first));
  }

  private writePiece(path: string, inode: Inode, offset: number, bytes: Buffer): void {
    const store = (length: number): void => {
      if (length > 0) this.change(inode, { offset, bytes: bytes.subarray(0, length) });
    };
    this.take(
      'write',
      path,
      () => {
        const fitting = this.fittingBytes(inode, offset, bytes.length);
        store(fitting);
        if (fitting === bytes.length) return;
        throw new StorageError(path, 'write failed: no space left on the disk', 'ENOSPC');
      },
      (isPartial) => {
        if (isPartial && this.random.chance(0.5)) store(this.random.below(bytes.length));
      },
    );
  }

  truncate(path: string, inode: Inode, size: number): void {
    this.take('truncate', path, () => this.change(inode, { size }));
  }

  sync(path: string, inode: Inode, id: number): void {
    this.take(
      'sync',
      path,
      () => {
        if (this.options.syncs) inode.stabilise(id);
      },
      () => inode.failSync(id, new CrashDice(this.random)),
    );
  }

  lastChange(): number {
    return this.nextId - 1;
  }

  closed(inode: Inode): void {
    this.openCount--;
    const left = this.open.get(inode)! - 1;
    if (left === 0) this.open.delete(inode);
    else this.open.set(inode, left);
  }

  /** Does `action` in a later turn. */
  later<T>(path: string, name: string, action: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        try {
          resolve(action());
        } catch (error) {
          reject(StorageError.from(path, name, error));
        }
      };
      this.waiting.push(end);
      if (this.options.completion === 'later') setImmediate(() => this.complete(1));
    });
  }

  private requireRunning(path: string): void {
    if (this.hasStopped) throw new StorageError(path, 'the machine has stopped', 'EIO');
  }

  private beforeOpen(path: string): void {
    this.call('open', path);
    if (this.openCount < this.options.openFilesMax) return;
    throw new StorageError(path, 'open failed: too many open files', 'EMFILE');
  }

  private opened(path: string, inode: Inode): OpenFile {
    this.openCount++;
    this.open.set(inode, 1 + (this.open.get(inode) ?? 0));
    return new SimulatedFile(this, path, inode);
  }

  /** How many bytes of a write the disk has room for. */
  private fittingBytes(inode: Inode, offset: number, length: number): number {
    const { capacityBytes } = this.options;
    if (capacityBytes === Number.POSITIVE_INFINITY) return length;
    const free = Math.max(0, capacityBytes - this.usedBytes);
    let fitting = length;
    while (fitting > 0 && inode.visible.growthOf(offset, fitting) > free) {
      // Back to the beginning of the last page: bytes of a page need its space together.
      fitting = Math.max(0, fitting - ((offset + fitting - 1) % PAGE_SIZE) - 1);
    }
    return fitting;
  }

  private change(inode: Inode, what: { offset: number; bytes: Buffer } | { size: number }): void {
    inode.apply({ id: this.nextId++, ...what });
  }

  private changeNames(
    step: SimulatedStep,
    directory: string,
    bindings: NameChange['bindings'],
  ): void {
    const change = { id: this.nextId++, directory, step, bindings };
    bind(this.names, change);
    this.nameChanges.push(change);
  }

  private syncNames(path: string, id: number): void {
    this.take('syncDirectory', path, () => {
      if (!this.options.syncs) return;
      const isStable = (change: NameChange): boolean =>
        change.directory === path && change.id <= id;
      for (const change of this.nameChanges) if (isStable(change)) bind(this.stableNames, change);
      this.nameChanges = this.nameChanges.filter((change) => !isStable(change));
    });
  }
}

class SimulatedFile implements OpenFile {
  readonly path: string;
  private readonly fs: SimulatedFs;
  private readonly inode: Inode;
  private isOpen: boolean;

  constructor(fs: SimulatedFs, path: string, inode: Inode) {
    this.path = path;
    this.fs = fs;
    this.inode = inode;
    this.isOpen = true;
  }

  size(): number {
    return this.inode.visible.size;
  }

  writeAt(buf: Buffer, start: number, end: number, position: number): void {
    this.requireOpen();
    this.fs.write(this.path, this.inode, position, Buffer.from(buf.subarray(start, end)));
  }

  async datasync(): Promise<void> {
    this.requireOpen();
    const id = this.fs.lastChange();
    await this.fs.later(this.path, 'sync', () => this.fs.sync(this.path, this.inode, id));
  }

  datasyncNow(): void {
    this.requireOpen();
    this.fs.sync(this.path, this.inode, this.fs.lastChange());
  }

  async readAt(buf: Buffer, start: number, length: number, position: number): Promise<number> {
    this.requireOpen();
    return this.fs.later(this.path, 'read', () => this.readNow(buf, start, length, position));
  }

  readNow(buf: Buffer, start: number, length: number, position: number): number {
    this.fs.call('read', this.path);
    return this.inode.visible.read(position, length).copy(buf, start);
  }

  truncate(size: number): void {
    this.requireOpen();
    this.fs.truncate(this.path, this.inode, size);
  }

  async truncateLater(size: number): Promise<void> {
    this.requireOpen();
    await this.fs.later(this.path, 'truncate', () => this.fs.truncate(this.path, this.inode, size));
  }

  close(): void {
    if (this.isOpen) this.fs.closed(this.inode);
    this.isOpen = false;
  }

  async closeLater(): Promise<void> {
    this.close();
  }

  private requireOpen(): void {
    if (!this.isOpen) throw new StorageError(this.path, 'the file is closed', 'EBADF');
  }
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
