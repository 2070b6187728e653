/** A file system of a fixed size for one run, in memory: really full when it is full. Only root may mount one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A mounted file system. */
export class SmallDisk {
  readonly path: string;
  private readonly unmountAtExit: () => void;

  private constructor(path: string) {
    this.path = path;
    this.unmountAtExit = () => this.unmount();
    // Also when the run is given up half-way.
    process.once('exit', this.unmountAtExit);
  }

  /** Mounts one; where the machine does not let us, the text says why. */
  static mount(sizeBytes: number): SmallDisk | string {
    const path = mkdtempSync(join(tmpdir(), 'firnmq-small-'));
    const args = ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0700`, 'firnmq-small', path];
    const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status === 0) return new SmallDisk(path);
    rmdirSync(path);
    return error?.message ?? stderr.trim();
  }

  /** Everything on it is gone. Nobody may use it any more. */
  unmount(): void {
    process.off('exit', this.unmountAtExit);
    spawnSync('umount', [this.path]);
    rmdirSync(this.path);
  }
}
