/**
 * Which bytes of a vhost's segments can be trusted: found by reading every segment once, one at a time, so that memory
 * does not grow with the log. What a position is, recovery and checkpoints know; whether a record really lies there,
 * this map does.
 */
import { join } from 'node:path';
import { SEGMENT_HEADER_SIZE, type SegmentHeader } from '../storage/batch-format.ts';
import type { FileSystem } from '../storage/fs.ts';
import { type InvalidStretch, readSegment } from '../storage/log-reader.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';
import { segmentNumberOf } from '../storage/segment.ts';
import { DumpFile } from './dump-file.ts';
import { readSegmentHeader } from './segment-header.ts';

/** One segment file, looked at. */
export interface SegmentReport {
  readonly name: string;
  readonly number: number;
  /** Bytes in the file. */
  readonly size: number;
  /** Null where nothing can be read by it. */
  readonly header: SegmentHeader | null;
  /** What is wrong with the header, or null. */
  readonly headerProblem: string | null;
  readonly invalid: readonly InvalidStretch[];
  /** Offset behind the last valid batch or gap. */
  readonly validEnd: number;
  /** Valid batches that lie side by side, as offsets: from, to, from, to ... */
  readonly runs: Float64Array;
}

/** The segments of a vhost. */
export class SegmentMap {
  /** Ascending by number. */
  readonly segments: readonly SegmentReport[];
  private readonly byNumber: ReadonlyMap<number, SegmentReport>;

  private constructor(segments: readonly SegmentReport[]) {
    this.segments = segments;
    this.byNumber = new Map(segments.map((segment) => [segment.number, segment]));
  }

  /** Reads all segments in a vhost's directory. */
  static async read(fs: FileSystem, directory: string): Promise<SegmentMap> {
    const segments: SegmentReport[] = [];
    for (const name of fs.list(directory)) {
      if (segmentNumberOf(name) >= 0) segments.push(readReport(fs, join(directory, name), name));
      // Interrupts and the end of the output are seen between two segments.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return new SegmentMap(segments);
  }

  /** True when the position lies in a valid batch. */
  holds(position: number): boolean {
    const segment = this.byNumber.get(segmentOf(position));
    return segment !== undefined && isInRuns(segment.runs, offsetOf(position));
  }
}

function readReport(fs: FileSystem, path: string, name: string): SegmentReport {
  const file = new DumpFile(fs, path);
  try {
    return reportOf(name, file.readAll());
  } finally {
    file.close();
  }
}

function reportOf(name: string, bytes: Buffer): SegmentReport {
  const number = segmentNumberOf(name);
  const size = bytes.length;
  const { header, problem: headerProblem } = readSegmentHeader(name, bytes);
  if (header === null) {
    const nothing = { invalid: [], validEnd: 0, runs: new Float64Array(0) };
    return { name, number, size, header, headerProblem, ...nothing };
  }
  const { batches, invalid, validEnd } = readSegment(bytes, header);
  const runs: number[] = [];
  for (const { isGap, position, length } of batches) {
    const from = offsetOf(position);
    if (isGap) continue;
    if (runs.at(-1) === from) runs[runs.length - 1] = from + length;
    else runs.push(from, from + length);
  }
  return {
    name,
    number,
    size,
    header,
    headerProblem,
    invalid,
    validEnd: Math.max(validEnd, SEGMENT_HEADER_SIZE),
    runs: Float64Array.from(runs),
  };
}

function isInRuns(runs: Float64Array, offset: number): boolean {
  let low = 0;
  let high = runs.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[2 * middle + 1]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low < runs.length / 2 && runs[2 * low]! <= offset;
}
