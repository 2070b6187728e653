/**
 * What a boot finds that is not as it must be: reported once, and kept aside for people.
 *
 * Damage stays where it is, so a boot that reads the same stretch again finds it again. The list `aside/damage.json`
 * says what an earlier boot has told already.
 */
import { join } from 'node:path';
import { keepAside, readAside } from './aside.ts';
import type { FileSystem } from './fs.ts';

const LIST_NAME = 'damage.json';

/** Something that was not as it must be, and what was done. */
export interface Damage {
  readonly path: string;
  readonly reason: string;
  /** An earlier boot has told it. */
  readonly isKnown: boolean;
  /** Nothing was lost by it, since all of it was found elsewhere, or was never stable. */
  readonly isMended: boolean;
}

/** The damage that one boot finds in a vhost's folder. */
export class DamageLog {
  readonly found: Damage[];
  private readonly fs: FileSystem;
  private readonly directory: string;
  /** What earlier boots have told; null before anything was found. */
  private known: Set<string> | null;
  private readonly told: Set<string>;

  constructor(fs: FileSystem, directory: string) {
    this.found = [];
    this.fs = fs;
    this.directory = directory;
    this.known = null;
    this.told = new Set();
  }

  /** Notes what is wrong with the file `name`; '' stands for the folder. */
  report(name: string, reason: string, isMended: boolean = false): void {
    this.known ??= this.readList();
    const key = keyOf(name, reason);
    if (this.told.has(key)) return;
    this.told.add(key);
    const isKnown = this.known.has(key);
    this.found.push({ path: join(this.directory, name), reason, isKnown, isMended });
  }

  /** Keeps a copy of bytes that nothing will read again. `wereStable`: somebody may have counted on them. */
  keep(name: string, bytes: Buffer, wereStable: boolean = true): void {
    const problem = keepAside(this.fs, this.directory, name, bytes);
    if (problem !== null) this.report(name, problem, !wereStable);
  }

  /** Writes down what was told, so that the next boot knows. Where the disk refuses, it is told again then. */
  save(): void {
    if (this.known === null || this.found.every(({ isKnown }) => isKnown)) return;
    const list = new Set([...this.known, ...this.told]);
    const bytes = Buffer.from(`${JSON.stringify([...list], null, 2)}\n`);
    keepAside(this.fs, this.directory, LIST_NAME, bytes, { replaces: true });
  }

  private readList(): Set<string> {
    const bytes = readAside(this.fs, this.directory, LIST_NAME);
    try {
      const list: unknown = bytes === null ? [] : JSON.parse(bytes.toString('utf8'));
      return new Set(Array.isArray(list) ? list.map(String) : []);
    } catch {
      // A list that is not whole knows nothing: everything is told once more.
      return new Set();
    }
  }
}

function keyOf(name: string, reason: string): string {
  return name === '' ? reason : `${name}: ${reason}`;
}
