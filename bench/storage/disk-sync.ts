/** What the disk itself needs for 4 KiB to be on it, without a server around it. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const PIECE = Buffer.alloc(4096, 0x66);
const FILE_PIECES = 256;

/** How the written 4 KiB lie. */
export type SyncKind =
  /** Where the file has blocks already: the least that a disk can be asked for. */
  | 'overwrite'
  /** At the end of a growing file: the file system has to note its size as well. */
  | 'append';

/** A file of its own, synced by this process. */
export class DiskSync {
  private readonly fd: number;
  private readonly kind: SyncKind;
  private nextPiece: number;

  constructor(directory: string, kind: SyncKind) {
    this.fd = openSync(join(directory, `disk-sync-${kind}`), 'w');
    this.kind = kind;
    this.nextPiece = 0;
    if (kind === 'append') return;
    writeSync(this.fd, Buffer.alloc(FILE_PIECES * PIECE.length, 0x66));
    fsyncSync(this.fd);
  }

  /** Writes and syncs `count` times; for each the microseconds of its fdatasync. */
  measure(count: number): number[] {
    const latenciesUs: number[] = [];
    for (let i = 0; i < count; i++) {
      const piece = this.kind === 'append' ? this.nextPiece : this.nextPiece % FILE_PIECES;
      writeSync(this.fd, PIECE, 0, PIECE.length, piece * PIECE.length);
      this.nextPiece++;
      const startedMs = performance.now();
      fdatasyncSync(this.fd);
      latenciesUs.push((performance.now() - startedMs) * 1000);
    }
    return latenciesUs;
  }

  close(): void {
    closeSync(this.fd);
  }
}
