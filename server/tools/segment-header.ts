/**
 * The header of a segment file, and what is left of a damaged one. The file's name has the number, and a salt is
 * right when a batch or gap behind the header agrees with it; so only a damaged salt makes a segment unreadable.
 */
import { ByteArea } from '../base/byte-area.ts';
import {
  decodeSegmentHeader,
  encodeGap,
  GAP_SIZE,
  readBatch,
  SEGMENT_HEADER_SIZE,
  type SegmentHeader,
} from '../storage/batch-format.ts';
import { positionAt } from '../storage/position.ts';
import { segmentNumberOf } from '../storage/segment.ts';

/** Where the salt stands in the header (batch-format.ts). */
const SALT_AT = 16;

/** A segment's header; null where nothing can be read by it. */
export interface FoundHeader {
  readonly header: SegmentHeader | null;
  /** What is wrong with the header as it stands in the file, or null. */
  readonly problem: string | null;
}

/**
 * The bytes of a file that holds its segment only from offset `from` on, with a gap in place of what it does not hold;
 * of any other file the bytes themselves.
 */
export function withoutReplaced(bytes: Buffer, from: number): Buffer {
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string' || from < SEGMENT_HEADER_SIZE + GAP_SIZE) return bytes;
  const position = positionAt(header.number, SEGMENT_HEADER_SIZE);
  const gap = encodeGap(position, from - SEGMENT_HEADER_SIZE, 0, 0, header.salt);
  const changed = Buffer.from(bytes);
  gap.copy(changed, SEGMENT_HEADER_SIZE);
  return changed;
}

/** Reads the header of the segment file `name`; `bytes` are the file's, at least up to its first batch. */
export function readSegmentHeader(name: string, bytes: Buffer): FoundHeader {
  const number = segmentNumberOf(name);
  const header = decodeSegmentHeader(bytes);
  if (typeof header !== 'string') {
    const isNamedSo = number < 0 || number === header.number;
    const problem = isNamedSo ? null : `it is segment ${header.number}`;
    return { header, problem };
  }
  if (number < 0 || bytes.length < SEGMENT_HEADER_SIZE) return { header: null, problem: header };
  const guess = { number, salt: bytes.readUInt32BE(SALT_AT), createdMs: 0, previousEnd: 0 };
  const position = positionAt(number, SEGMENT_HEADER_SIZE);
  const area = new ByteArea(bytes);
  const first = readBatch(area, SEGMENT_HEADER_SIZE, bytes.length, position, guess.salt);
  return { header: first === null ? null : guess, problem: header };
}
