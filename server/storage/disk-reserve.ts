/**
 * Space held back on the disk for the moment when it is full: a file `reserve` in the data directory, really
 * allocated. Given up, it makes room for the records that settle messages and for the checkpoint that lets segments be
 * deleted; taken again when there is enough.
 *
 * It takes at most a quarter of what is free: what consumers settle is in proportion to what publishers could fill. A
 * quarter of less than 1 MiB is hardly room for a checkpoint, and is not taken. It is filled with noise, since some file
 * systems store zeros in no space at all. Who has written little holds a small one, which grows later: another file takes
 * its place.
 *
 * A file `reserve.given` of the same size, but a hole throughout, remembers that it was given up: a server that is
 * killed in that state begins in it, since publishers would use up what is left for the log.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { nextTurn } from '../base/next-turn.ts';
import type { FileSystem } from './fs.ts';
import { isDiskFull } from './log-health.ts';
import { StorageError } from './storage-error.ts';

/** Its size, unless the caller says otherwise. */
export const RESERVE_BYTES: number = 64 * 1024 * 1024;
/** The first one has this part of it. */
const FIRST_SHARE = 1 / 32;

/** Its name, in the data directory. */
export const RESERVE_FILE = 'reserve';
/** ... and that of the hole that remembers it. */
export const RESERVE_GIVEN_FILE = 'reserve.given';
const PIECE_BYTES = 1024 * 1024;
/** Bytes written between two turns of the event loop: publishers fill the same disk meanwhile. */
const BYTES_PER_TURN = 4 * PIECE_BYTES;
/** Of what is free when it is first taken, or grows. */
const FREE_SHARE = 1 / 4;
/** It grows only to this many times its size. */
const GROWTH_MIN = 2;
/** The smallest that is of use: definitions and a checkpoint of few queues, and some of what consumers settle. */
const USEFUL_BYTES = 256 * 1024;
/** A file of this part of its size makes a difference. */
const WORTH_SHARE = 1 / 8;
/** This part of it is for what was published before anybody knew that the disk is full. */
const PENDING_SHARE = 1 / 2;
/** With less free than so many times its size publishers could fill the disk before it is looked at again. */
const SHORT_TIMES = 4;

/** The reserve of a data directory, shared by its vhosts. */
export class DiskReserve {
  /** What it is to take where there is room. */
  readonly sizeBytes: number;
  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly path: string;
  private readonly givenPath: string;
  /** The smallest that is taken. */
  private readonly leastBytes: number;
  private taken: boolean;
  private given: boolean;
  /** What it takes, or took before it was given up; 0: it was never taken. */
  private heldBytes: number;
  /** What is being taken; 0: nothing is. */
  private takingBytes: number;
  /** Raised when it is given up: whoever is filling it stops. */
  private generation: number;
  private taking: Promise<boolean> | null;

  /** Finds the reserve of an earlier run. `sizeBytes` 0: there is to be none. */
  constructor(fs: FileSystem, directory: string, sizeBytes: number = RESERVE_BYTES) {
    this.fs = fs;
    this.directory = directory;
    this.path = join(directory, RESERVE_FILE);
    this.givenPath = join(directory, RESERVE_GIVEN_FILE);
    this.sizeBytes = sizeBytes;
    this.leastBytes = Math.min(USEFUL_BYTES, this.firstBytes);
    const names = fs.list(directory);
    this.taken = names.includes(RESERVE_FILE);
    this.given = !this.taken && names.includes(RESERVE_GIVEN_FILE);
    this.heldBytes =
      this.taken || this.given ? sizeOf(fs, this.taken ? this.path : this.givenPath) : 0;
    this.takingBytes = 0;
    this.generation = 0;
    this.taking = null;
    if (names.includes(`${RESERVE_FILE}.tmp`)) fs.delete(`${this.path}.tmp`);
  }

  get isTaken(): boolean {
    return this.taken;
  }

  /** Size of the one that is held for little, in bytes. */
  get firstBytes(): number {
    return Math.floor(FIRST_SHARE * this.sizeBytes);
  }

  /** On a disk with such a reserve a file of this size is worth to be given back when it gets full. */
  get worthBytes(): number {
    return WORTH_SHARE * Math.max(this.heldBytes, this.leastBytes);
  }

  /** With more than this on its way to a disk that turns out to be full, too little of the reserve would be left. */
  get pendingBytesMax(): number {
    return this.heldBytes === 0 ? Number.POSITIVE_INFINITY : PENDING_SHARE * this.heldBytes;
  }

  /** None is held, or one that what publishers have sent before they are stopped may use up. */
  get isSmall(): boolean {
    return !this.taken || this.heldBytes < this.firstBytes;
  }

  /** So little is free that a reserve has to be held before there is anything to lose. */
  get isSpaceShort(): boolean {
    return this.freeBytes() < SHORT_TIMES * this.sizeBytes;
  }

  /** It was given up, by this run or the one before, and has not been taken again: the disk counts as full. */
  get isGivenUp(): boolean {
    return this.given;
  }

  /** Frees the space. False when there was nothing to give up, or the disk refuses even that. */
  giveUp(): boolean {
    this.generation++;
    if (!this.taken) {
      this.takingFailed();
      return false;
    }
    this.remember();
    try {
      this.fs.delete(this.path);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return false;
    }
    this.taken = false;
    this.given = true;
    return true;
  }

  /** The disk is full before the first reserve is whole: it goes, and counts as given up. */
  private takingFailed(): void {
    if (this.takingBytes === 0 || this.taken) return;
    this.heldBytes = this.takingBytes;
    this.given = true;
    this.remember();
  }

  /** Before the reserve goes: both of them are a reserve that is held. */
  private remember(): void {
    try {
      const file = this.fs.openForWriting(this.givenPath);
      try {
        file.truncate(this.heldBytes);
      } finally {
        file.close();
      }
    } catch (error) {
      // Then only this run knows.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /**
   * Takes the space, where as much again stays free; in pieces, a turn for each.
   *
   * @returns whether a disk that was full has room again: the reserve is held, and stable; or there never was room
   *   for one, and some is free
   */
  async take(): Promise<boolean> {
    const isHeld = this.taken || (await this.tryToTake(this.sizeBytes));
    return isHeld || (this.heldBytes === 0 && this.freeBytes() >= this.enoughBytes);
  }

  /**
   * Sees to it that `bytes` are held, or what a quarter of the free space allows; resolves when that is done, or has
   * failed. One that was given up is not taken here.
   */
  async hold(bytes: number): Promise<void> {
    if (this.taking !== null) await this.taking;
    if (this.given || (this.taken && this.heldBytes >= bytes)) return;
    await this.tryToTake(bytes);
  }

  private tryToTake(bytes: number): Promise<boolean> {
    if (this.sizeBytes === 0) return Promise.resolve(false);
    this.taking ??= this.fill(bytes).finally(() => {
      this.taking = null;
    });
    return this.taking;
  }

  /**
   * Where no reserve was ever held, so much free space is room enough to go on, and to take one: a quarter of less would
   * be given up for nothing.
   */
  private get enoughBytes(): number {
    return this.leastBytes / FREE_SHARE;
  }

  private freeBytes(): number {
    try {
      return this.fs.freeBytes(this.directory);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return 0;
    }
  }

  /** What is to be taken where `free` bytes are free and at most `bytes` are wanted; 0: nothing, or no more. */
  private sizeToTake(bytes: number, free: number): number {
    // One that was given up is taken again as large as it was, where that is known.
    if (this.given && this.heldBytes > 0) return free < 2 * this.heldBytes ? 0 : this.heldBytes;
    if (!this.taken && free < this.enoughBytes) return 0;
    const size = Math.min(bytes, Math.floor(free * FREE_SHARE));
    return this.taken && size < GROWTH_MIN * this.heldBytes ? 0 : size;
  }

  private async fill(bytes: number): Promise<boolean> {
    const size = this.sizeToTake(bytes, this.freeBytes());
    if (size === 0) return this.taken;
    const { generation } = this;
    const temporary = `${this.path}.tmp`;
    this.takingBytes = size;
    try {
      const isWhole = await this.write(temporary, size, generation);
      if (isWhole) {
        this.fs.rename(temporary, this.path);
        this.taken = true;
        this.given = false;
        this.heldBytes = size;
        this.fs.delete(this.givenPath);
        await this.fs.syncDirectory(this.directory);
        return this.taken;
      }
      this.fs.delete(temporary);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (isDiskFull(error)) this.takingFailed();
      this.discard(temporary);
    } finally {
      this.takingBytes = 0;
    }
    return this.taken;
  }

  /** False when it is to be given up meanwhile. */
  private async write(path: string, size: number, generation: number): Promise<boolean> {
    const noise = randomBytes(Math.min(PIECE_BYTES, size));
    const file = this.fs.openForWriting(path);
    try {
      file.truncate(0);
      for (let at = 0; at < size; at += noise.length) {
        file.writeAt(noise, 0, Math.min(noise.length, size - at), at);
        if ((at / noise.length) % (BYTES_PER_TURN / PIECE_BYTES) !== 0) continue;
        await nextTurn();
        if (this.generation !== generation) return false;
      }
      await file.datasync();
      return this.generation === generation;
    } finally {
      file.close();
    }
  }

  private discard(path: string): void {
    try {
      this.fs.delete(path);
    } catch {
      // A disk that refuses this too: the next attempt begins by emptying the file.
    }
  }
}

function sizeOf(fs: FileSystem, path: string): number {
  const file = fs.openForReading(path);
  try {
    return file.size();
  } finally {
    file.close();
  }
}
