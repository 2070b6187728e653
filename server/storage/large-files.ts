/**
 * The large bodies of a vhost: files of their own, counted by the queues and the deliveries that need them.
 *
 * - A file is written by a {@link LargeBodyWriter} while its body comes in. Nobody else knows it until it is kept:
 *   entered into queues, or on its way back to its publisher.
 * - When its last reference has gone, the file is deleted: at once if no record of the log names it, otherwise when
 *   the log is durable behind what was settled. So no crash leaves a live record without its file.
 * - What a crash leaves without a record is deleted by the next boot, once that has a checkpoint of its own.
 */
import { dirname, join } from 'node:path';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import { LargeBodyReader } from './large-body-reader.ts';
import { LargeBodyWriter, type LargeWriterOwner } from './large-body-writer.ts';
import { LARGE_FOLDER, largeFileName } from './large-file-format.ts';
import type { RecoveredLargeFiles } from './large-recovery.ts';
import type { DurabilityWaiter, MessageLog } from './log.ts';
import { isDiskFull } from './log-health.ts';
import type { QueueIndex } from './queue-index.ts';
import type { LargeBody, LargeReference } from './record-format.ts';
import type { StorageError } from './storage-error.ts';

/** Bodies up to this size lie in their record, larger ones in a file of their own. In bytes. */
export const INLINE_BODY_SIZE_MAX: number = 1024 * 1024;
/** Publishers of large bodies wait while more bytes than this are in the page cache alone ... */
const UNSYNCED_BYTES_MAX = 128 * 1024 * 1024;
/** ... until no more than this are. */
const UNSYNCED_BYTES_RESUME = 64 * 1024 * 1024;
/** The same for files: one that is not synced stays open. */
const UNSYNCED_FILES_MAX = 128;
const UNSYNCED_FILES_RESUME = 64;
/** For the next checkpoint a large body counts as this share of log, since only checkpoints free other space. */
const CHECKPOINT_SHARE = 1 / 8;

/** A file that somebody needs. */
interface LargeFile {
  readonly number: number;
  /** Queues it waits in, and deliveries and returns under way. */
  references: number;
  /** A record of the log names it. */
  readonly isDurable: boolean;
  /** Null once it is stable, or when it need not be. */
  body: LargeBody | null;
}

/** A file that goes when the log is durable up to `position`. */
interface DoomedFile {
  readonly file: LargeFile;
  readonly position: number;
}

/** Waits for nothing, but makes the log sync. */
const SYNC_WANTED: DurabilityWaiter = { durableAdvanced: () => true };

/** The registry of a vhost's large bodies. */
export class LargeFiles implements LargeWriterOwner, DurabilityWaiter {
  /** The number that the next file gets. */
  nextFile: number;
  private readonly fs: FileSystem;
  private readonly cache: FileCache;
  private readonly folder: string;
  private readonly log: MessageLog;
  private readonly files: Map<number, LargeFile>;
  private readonly doomed: DoomedFile[];
  /** Names of files that no live record names, found at boot. */
  private leftovers: readonly string[];
  private hasFolder: boolean;
  /** The folder, or its own name, has changes that are not stable. */
  private namesChanged: boolean;
  /** The sync of the folder under way, or null; never rejects. */
  private namesSync: Promise<void> | null;
  private unsyncedBytes: number;
  private unsyncedFiles: number;
  /** Bodies that are not yet complete, or not yet stable. */
  private readonly writers: Set<LargeBodyWriter>;
  private waiting: (() => void)[];

  constructor(
    fs: FileSystem,
    cache: FileCache,
    directory: string,
    log: MessageLog,
    recovered: RecoveredLargeFiles,
  ) {
    this.nextFile = recovered.nextFile;
    this.fs = fs;
    this.cache = cache;
    this.folder = join(directory, LARGE_FOLDER);
    this.log = log;
    this.files = new Map();
    for (const [number, references] of recovered.references) {
      this.files.set(number, { number, references, isDurable: true, body: null });
    }
    this.doomed = [];
    this.leftovers = recovered.leftovers;
    this.hasFolder = false;
    this.namesChanged = false;
    this.namesSync = null;
    this.unsyncedBytes = 0;
    this.unsyncedFiles = 0;
    this.writers = new Set();
    this.waiting = [];
  }

  /** Files that something needs. */
  get count(): number {
    return this.files.size;
  }

  // --- a body comes in -------------------------------------------------------------------------

  /** Takes a body of `size` bytes that is about to come. Its file is made with its first bytes. */
  create(size: number): LargeBodyWriter {
    const number = this.nextFile++;
    const writer = new LargeBodyWriter(
      this.fs,
      this.cache,
      this.pathOf(number),
      number,
      size,
      this,
    );
    this.writers.add(writer);
    return writer;
  }

  /**
   * The message of the body was stored: the last record of the log names it, or it is in transient queues alone. The
   * reference of the caller is the first.
   */
  keep(body: LargeBody, isDurable: boolean): void {
    const number = body.file;
    this.files.set(number, { number, references: 1, isDurable, body: isDurable ? body : null });
    if (!isDurable) {
      body.end();
      return;
    }
    this.log.syncWith(body);
    this.log.appendedBytes += body.size * CHECKPOINT_SHARE;
    // Not at leisure: what is not synced takes an open file, and page cache.
    this.log.waitForAll(SYNC_WANTED);
  }

  /** The message of a body was entered into a queue, under the number that the queue gave out last. */
  enter(index: QueueIndex, file: number): void {
    index.noteLarge(index.nextSequence - 1, file);
    this.retain(file);
  }

  /** Whether bodies come faster than the disk takes them: publishers are to wait. */
  get isBehind(): boolean {
    return this.unsyncedBytes >= UNSYNCED_BYTES_MAX || this.unsyncedFiles >= UNSYNCED_FILES_MAX;
  }

  /** Calls back once when the disk has caught up. */
  whenCaughtUp(listener: () => void): void {
    this.waiting.push(listener);
    for (const writer of this.writers) writer.hurry();
  }

  // --- a body goes out -------------------------------------------------------------------------

  /** A reader of a body that is kept; the file stays until the reader is closed. */
  read(body: LargeReference): LargeBodyReader {
    this.retain(body.file);
    return new LargeBodyReader(this.cache, this.pathOf(body.file), body, () =>
      this.release(body.file),
    );
  }

  // --- references ------------------------------------------------------------------------------

  /** One more needs the file. */
  retain(number: number): void {
    this.required(number).references++;
  }

  /** One less needs the file. A settle that led here has been told to the log. */
  release(number: number): void {
    const file = this.required(number);
    file.references--;
    if (file.references > 0) return;
    this.files.delete(number);
    const position = file.isDurable ? this.log.tellSettled() : 0;
    if (position <= this.log.durableUpTo) {
      this.delete(file);
      return;
    }
    this.doomed.push({ file, position });
    this.log.waitForAll(this);
  }

  /** The queue of `index` has let go of one message. */
  settle(index: QueueIndex, sequence: number): void {
    const number = index.takeLarge(sequence);
    if (number >= 0) this.release(number);
  }

  /** The queue of `index` has let go of many messages, perhaps all. */
  settleMany(index: QueueIndex): void {
    for (const sequence of [...(index.large?.keys() ?? [])]) {
      if (!index.isUnsettled(sequence)) this.settle(index, sequence);
    }
  }

  /** The log has advanced: files of settled messages may go. */
  durableAdvanced(): boolean {
    const { doomed, log } = this;
    let count = 0;
    while (count < doomed.length && doomed[count]!.position <= log.durableUpTo) count++;
    for (const { file } of doomed.splice(0, count)) this.delete(file);
    return doomed.length === 0;
  }

  /** Deletes what the boot found and nobody needs. */
  deleteLeftovers(): void {
    const { leftovers } = this;
    this.leftovers = [];
    for (const name of leftovers) this.unlink(join(this.folder, name));
  }

  /** Closes files that are still to be synced; whoever wants a clean stop has synced the log before. */
  close(): void {
    for (const { body } of this.files.values()) body?.end();
    for (const { file } of this.doomed) file.body?.end();
  }

  // --- for the writers -------------------------------------------------------------------------

  unsyncedChanged(bytes: number, files: number): void {
    this.unsyncedBytes += bytes;
    this.unsyncedFiles += files;
    if (this.waiting.length === 0 || this.unsyncedBytes > UNSYNCED_BYTES_RESUME) return;
    if (this.unsyncedFiles > UNSYNCED_FILES_RESUME) return;
    const { waiting } = this;
    this.waiting = [];
    for (const listener of waiting) listener();
  }

  get isFull(): boolean {
    return this.log.state.diskFull;
  }

  get isWaitedFor(): boolean {
    return this.waiting.length > 0;
  }

  making(): void {
    if (!this.hasFolder) this.fs.makeDirectory(this.folder);
    this.hasFolder = true;
    this.namesChanged = true;
  }

  /** A full disk is a state of all that write to it. */
  refused(error: StorageError): void {
    if (isDiskFull(error)) this.log.spaceRefused();
  }

  ended(writer: LargeBodyWriter): void {
    this.writers.delete(writer);
  }

  aborted(writer: LargeBodyWriter): void {
    this.unlink(writer.path);
  }

  renamed(): void {
    this.namesChanged = true;
  }

  async syncNames(): Promise<void> {
    while (this.namesSync !== null) await this.namesSync;
    if (!this.namesChanged) return;
    this.namesChanged = false;
    const sync = this.syncFolder();
    this.namesSync = sync.then(
      () => {
        this.namesSync = null;
      },
      () => {
        this.namesSync = null;
        this.namesChanged = true;
      },
    );
    await sync;
  }

  private async syncFolder(): Promise<void> {
    await this.fs.syncDirectory(this.folder);
    await this.fs.syncDirectory(dirname(this.folder));
  }

  private delete(file: LargeFile): void {
    file.body?.end();
    this.unlink(this.pathOf(file.number));
  }

  /** Off the loop, since freeing many blocks takes a while. What cannot be deleted is left to the next boot. */
  private unlink(path: string): void {
    this.cache.deleteLater(path).catch(() => {});
  }

  private required(number: number): LargeFile {
    const file = this.files.get(number);
    if (file === undefined) throw new Error(`large file ${number} is not kept`);
    return file;
  }

  private pathOf(number: number): string {
    return join(this.folder, largeFileName(number));
  }
}
