/**
 * Which bytes of a vhost's segments can be trusted: found by reading every segment once, one at a time, so that memory
 * does not grow with the log. What a position is, recovery and checkpoints know; whether a record really lies there,
 * this map does.
 */
import { join } from 'node:path';
import { ByteArea } from '../base/byte-area.ts';
import { nextTurn } from '../base/next-turn.ts';
import { decodeSegmentHeader, type SegmentHeader } from '../storage/batch-format.ts';
import {
  COMPACTED_HEADER_SIZE,
  type CompactedHeader,
  decodeCompactedHeader,
  decodeTable,
  isCompacted,
  readBlock,
} from '../storage/compacted-format.ts';
import type { FileSystem } from '../storage/fs.ts';
import { type InvalidStretch, readSegment } from '../storage/log-reader.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';
import { recordSizeAt } from '../storage/record-format.ts';
import { segmentNumberOf, segmentOffsetOf } from '../storage/segment.ts';
import { DumpFile } from './dump-file.ts';
import { readSegmentHeader, withoutReplaced } from './segment-header.ts';

/** A file that holds a segment from an offset on, up to where the next one begins. */
export interface SegmentPart {
  readonly name: string;
  readonly from: number;
}

/** The name of the file that holds the byte at `offset`. */
export function nameAt({ name, parts }: SegmentReport, offset: number): string {
  return parts.findLast(({ from }) => from <= offset)?.name ?? name;
}

/** One segment, looked at. */
export interface SegmentReport {
  /** Of its first file. */
  readonly name: string;
  /** The files that hold it, each from an offset on, ascending. */
  readonly parts: readonly SegmentPart[];
  /** What is wrong with a later file, which is not used then. */
  readonly partProblems: readonly { readonly name: string; readonly reason: string }[];
  readonly number: number;
  /** Bytes in the files. */
  readonly size: number;
  readonly isCompacted: boolean;
  /** Null where nothing can be read by it. */
  readonly header: SegmentHeader | null;
  /** What is wrong with the header, or null. */
  readonly headerProblem: string | null;
  readonly invalid: readonly InvalidStretch[];
  /** Offset at which the log left it, as far as the file tells. */
  readonly end: number;
  /**
   * Where records can be read, as offsets: from, to, from, to ... Of a segment as it was written: valid batches that
   * lie side by side; of a compacted one: each message.
   */
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
    const namesOf = new Map<number, string[]>();
    for (const name of fs.list(directory)) {
      const number = segmentNumberOf(name);
      if (number >= 0) namesOf.set(number, [...(namesOf.get(number) ?? []), name]);
    }
    const segments: SegmentReport[] = [];
    for (const names of namesOf.values()) {
      segments.push(readReport(fs, directory, names));
      // Interrupts and the end of the output are seen between two segments.
      await nextTurn();
    }
    return new SegmentMap(segments);
  }

  /** True when the record at the position can be read. */
  holds(position: number): boolean {
    const segment = this.byNumber.get(segmentOf(position));
    return segment !== undefined && isInRuns(segment.runs, offsetOf(position));
  }
}

function readReport(fs: FileSystem, directory: string, names: readonly string[]): SegmentReport {
  const [first, ...later] = names as readonly [string, ...string[]];
  const bytes = readBytes(fs, join(directory, first));
  if (isCompacted(bytes)) return reportOfCompacted(first, bytes);
  const parts: SegmentPart[] = [{ name: first, from: segmentOffsetOf(first) }];
  const partProblems: { name: string; reason: string }[] = [];
  let whole = withoutReplaced(bytes, parts[0]!.from);
  for (const name of later) {
    const part = readBytes(fs, join(directory, name));
    const problem = problemOfPart(part, first, bytes);
    if (problem === null) {
      const from = segmentOffsetOf(name);
      parts.push({ name, from });
      const gap = Buffer.alloc(Math.max(0, from - whole.length));
      whole = Buffer.concat([whole.subarray(0, from), gap, part.subarray(from)]);
    } else {
      partProblems.push({ name, reason: problem });
    }
  }
  return { ...reportOf(first, whole), parts, partProblems };
}

/** A later file must name the segment and its salt as the first one does. */
function problemOfPart(part: Buffer, first: string, bytes: Buffer): string | null {
  const header = decodeSegmentHeader(part);
  if (typeof header === 'string') return header;
  if (header.number !== segmentNumberOf(first)) return `it is segment ${header.number}`;
  const { header: expected } = readSegmentHeader(first, bytes);
  return expected === null || expected.salt === header.salt
    ? null
    : 'its salt is that of another segment';
}

function readBytes(fs: FileSystem, path: string): Buffer {
  const file = new DumpFile(fs, path);
  try {
    return file.readAll();
  } finally {
    file.close();
  }
}

const NOTHING_READABLE = {
  parts: [],
  partProblems: [],
  isCompacted: false,
  header: null,
  invalid: [],
  end: 0,
  runs: new Float64Array(0),
};

function reportOf(name: string, bytes: Buffer): SegmentReport {
  const number = segmentNumberOf(name);
  const size = bytes.length;
  const { header, problem: headerProblem } = readSegmentHeader(name, bytes);
  if (header === null) return { name, number, size, headerProblem, ...NOTHING_READABLE };
  const { batches, invalid, validEnd } = readSegment(bytes, header);
  const runs: number[] = [];
  for (const { isGap, position, length } of batches) {
    const from = offsetOf(position);
    if (isGap) continue;
    if (runs.at(-1) === from) runs[runs.length - 1] = from + length;
    else runs.push(from, from + length);
  }
  const end = Math.max(validEnd, ...invalid.map(({ to }) => to));
  return {
    name,
    number,
    size,
    isCompacted: false,
    parts: [],
    partProblems: [],
    header,
    headerProblem,
    invalid,
    end,
    runs: Float64Array.from(runs),
  };
}

/** Of a compacted segment the offsets of the messages are known, and where the log left it. */
function reportOfCompacted(name: string, bytes: Buffer): SegmentReport {
  const number = segmentNumberOf(name);
  const size = bytes.length;
  const header = decodeCompactedHeader(bytes);
  const nothing = { ...NOTHING_READABLE, name, number, size, isCompacted: true };
  if (typeof header === 'string') return { ...nothing, headerProblem: header };
  const headerProblem = header.number === number ? null : `it is segment ${header.number}`;
  const { runs, invalid } = readBlocks(bytes, header);
  const { tableAt, messageCount, salt, endOffset: end } = header;
  if (decodeTable(bytes.subarray(tableAt), messageCount, salt) === null) {
    // Nothing is found without it.
    const all = [...invalid, { from: tableAt, to: size }];
    return { ...nothing, headerProblem, header, end, invalid: all };
  }
  return { ...nothing, header, headerProblem, invalid, end, runs };
}

function readBlocks(
  bytes: Buffer,
  { tableAt, salt }: CompactedHeader,
): Pick<SegmentReport, 'runs' | 'invalid'> {
  const area = new ByteArea(bytes);
  const invalid: InvalidStretch[] = [];
  const runs: number[] = [];
  const end = Math.min(tableAt, bytes.length);
  for (let at = COMPACTED_HEADER_SIZE; at < end; ) {
    const next = readBlock(area, at, end, salt, recordSizeAt, (original) => {
      runs.push(original, original + 1);
    });
    if (next < 0) {
      invalid.push({ from: at, to: end });
      break;
    }
    at = next;
  }
  return { runs: Float64Array.from(runs), invalid };
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
