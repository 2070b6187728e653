/**
 * Makes a damaged vhost recoverable, in a shadow of it: what recovery would have to leave out because of one damaged
 * place, it can then read.
 *
 * - A damaged header is written anew; the salt in it must be right, see segment-header.ts.
 * - A damaged stretch becomes a gap: recovery takes one behind the last known sync for the end of the log, since nobody
 *   was promised what follows. Here all that can still be read is wanted.
 * - A segment whose predecessor lost its tail, or is gone, says that the log went on where that one ends.
 * - Definitions without a header get one; then the log has the last word on each.
 */
import { join } from 'node:path';
import { encodeGap, encodeSegmentHeader, GAP_SIZE } from '../storage/batch-format.ts';
import {
  DEFINITIONS_FILE,
  decodeDefinitions,
  encodeDefinitions,
} from '../storage/definitions-format.ts';
import { positionAt } from '../storage/position.ts';
import type { Finding } from './finding.ts';
import { nameAt, type SegmentMap, type SegmentReport } from './segment-map.ts';
import type { ShadowFileSystem } from './shadow-fs.ts';

/** Mends what `segments` show to be damaged; returns a finding for each place. */
export function mendVhost(
  shadow: ShadowFileSystem,
  directory: string,
  { segments }: SegmentMap,
): readonly Finding[] {
  const mending = new Mending(shadow, directory);
  segments.forEach((segment, i) => {
    mending.mendHeader(segment, segments[i - 1] ?? null);
    mending.mendStretches(segment, i === segments.length - 1);
  });
  mending.mendDefinitions();
  return mending.findings;
}

class Mending {
  readonly findings: Finding[];
  private readonly shadow: ShadowFileSystem;
  private readonly directory: string;

  constructor(shadow: ShadowFileSystem, directory: string) {
    this.findings = [];
    this.shadow = shadow;
    this.directory = directory;
  }

  mendHeader(segment: SegmentReport, before: SegmentReport | null): void {
    const { name, header, headerProblem, isCompacted } = segment;
    if (headerProblem !== null) this.find(name, 0, headerProblem);
    if (header === null) return;
    const previousEnd = before === null ? 0 : positionAt(before.number, before.end);
    const goesOnBehind = header.previousEnd > previousEnd && before !== null;
    if (goesOnBehind) this.find(name, null, 'what comes before it is missing');
    if (!isCompacted && (headerProblem !== null || goesOnBehind)) {
      const mended = goesOnBehind ? { ...header, previousEnd } : header;
      this.write(name, 0, encodeSegmentHeader(mended));
    }
  }

  mendStretches(segment: SegmentReport, isLast: boolean): void {
    const { size, header, invalid, isCompacted, partProblems } = segment;
    for (const problem of partProblems) this.find(problem.name, 0, problem.reason);
    for (const { from, to } of invalid) {
      // Nothing follows: recovery knows whether it was ever synced.
      if (isLast && to === size) continue;
      const name = nameAt(segment, from);
      this.find(name, from, `bytes ${from} to ${to} are damaged`);
      if (isCompacted || header === null || to - from < GAP_SIZE) continue;
      const position = positionAt(header.number, from);
      this.write(name, from, encodeGap(position, to - from, 0, 0, header.salt));
    }
  }

  mendDefinitions(): void {
    const bytes = this.shadow.readFile(join(this.directory, DEFINITIONS_FILE));
    if (bytes === null) return;
    const file = decodeDefinitions(bytes);
    if (typeof file !== 'string') return;
    this.find(DEFINITIONS_FILE, 0, file);
    this.write(DEFINITIONS_FILE, 0, encodeDefinitions({ position: 0, nextQueueNumber: 1 }, []));
  }

  private find(name: string, offset: number | null, reason: string): void {
    this.findings.push({ path: join(this.directory, name), offset, reason });
  }

  private write(name: string, offset: number, bytes: Buffer): void {
    const file = this.shadow.openForWriting(join(this.directory, name));
    try {
      file.writeAt(bytes, 0, bytes.length, offset);
    } finally {
      file.close();
    }
  }
}
