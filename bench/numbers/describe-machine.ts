/** Where a measurement ran, in lines of text. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';

const COPIED_BYTES = 64 * 1024 * 1024;
const COPIES = 5;
const WRITTEN_BYTES = 1024 * 1024;
const CONGESTION_CONTROL = '/proc/sys/net/ipv4/tcp_congestion_control';

/**
 * Date and commit; processor, kernel and Node; how fast memory is copied, and how TCP paces itself: the same machine may
 * copy three times as fast an hour later, and `bbr` holds back on loopback as well. And how fast a new file takes octets,
 * beside one that has them already: a virtual machine may find the pages for it a hundred times as slowly as it fills
 * them, as long as none of its memory was used before.
 */
export function describeMachine(): string[] {
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commitName()}`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Linux ${release().split('-')[0]}, Node ${process.version}`,
    `memory copied at ${copyRateGbPerS().toFixed(1)} GB/s, TCP congestion control ${congestionControl()}`,
    `a new file of 64 MiB written at ${writeRates()
      .map((rate) => rate.toFixed(2))
      .join(' GB/s, written over at ')} GB/s`,
  ];
}

/** A new file in the temporary directory, and the same file once more; without a sync. */
function writeRates(): number[] {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-written-'));
  const file = openSync(join(directory, 'file'), 'w');
  try {
    const bytes = Buffer.alloc(WRITTEN_BYTES, 1);
    return [1, 2].map(() => {
      const startedMs = performance.now();
      for (let at = 0; at < COPIED_BYTES; at += WRITTEN_BYTES) {
        writeSync(file, bytes, 0, WRITTEN_BYTES, at);
      }
      return COPIED_BYTES / 1e6 / (performance.now() - startedMs);
    });
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

/** The best of a few copies of 64 MiB, in GB (10^9 bytes) a second. */
function copyRateGbPerS(): number {
  const from = Buffer.alloc(COPIED_BYTES, 1);
  const to = Buffer.alloc(COPIED_BYTES, 2);
  let bestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COPIES; i++) {
    const startedMs = performance.now();
    from.copy(to);
    bestMs = Math.min(bestMs, performance.now() - startedMs);
  }
  return COPIED_BYTES / 1e6 / bestMs;
}

function congestionControl(): string {
  try {
    return readFileSync(CONGESTION_CONTROL, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** The commit of the checkout that this runs in, `-dirty` where it was changed since. */
export function commitName(): string {
  try {
    const command = ['describe', '--always', '--dirty'];
    return execFileSync('git', command, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    // Not a checkout, or one without a commit.
    return 'unknown';
  }
}
