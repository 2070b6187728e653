import t from 'tap';
import { ByteArea } from '../base/byte-area.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import {
  BATCH_HEADER_SIZE,
  checksumBatch,
  encodeGap,
  encodeSegmentHeader,
  SEGMENT_HEADER_SIZE,
  sealBatch,
} from './batch-format.ts';
import { FileCache } from './file-cache.ts';
import { readSegment, readValidRun } from './log-reader.ts';
import { positionAt } from './position.ts';
import { Segment } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';

const NUMBER = 5;
const SALT = 0xdecafbad;
const HEADER = { number: NUMBER, salt: SALT, createdMs: 0, previousEnd: 0 };

/** A batch of `length` bytes for the offset `at`. */
function batch(at: number, length: number): Buffer {
  const area = new ByteArea(Buffer.alloc(length, 0xab));
  const footerAt = BATCH_HEADER_SIZE;
  const header = {
    position: positionAt(NUMBER, at),
    timeMs: 0,
    syncedUpTo: 0,
    footerAt,
    rowCount: 0,
  };
  sealBatch(area, 0, length, header);
  checksumBatch(area, 0, length, SALT);
  return area.buf;
}

/** A segment of batches of these lengths, a gap (without bytes behind its header) where one is negative. */
function segmentOf(lengths: readonly number[]): { bytes: Buffer; ends: number[] } {
  const parts = [encodeSegmentHeader(HEADER)];
  const ends: number[] = [];
  let at = SEGMENT_HEADER_SIZE;
  for (const length of lengths) {
    const size = Math.abs(length);
    const piece = length > 0 ? batch(at, size) : Buffer.alloc(size);
    if (length < 0) encodeGap(positionAt(NUMBER, at), size, 0, 0, SALT).copy(piece);
    parts.push(piece);
    at += size;
    ends.push(at);
  }
  return { bytes: Buffer.concat(parts), ends };
}

/** The run as it is read from a file that begins with `bytes`. */
function runOf(bytes: Buffer, from: number) {
  const fs = new SimulatedFs();
  const segment = new Segment(new FileCache(fs), '/log', HEADER, [0]);
  const file = fs.openForWriting(segment.path);
  file.writeAt(bytes, 0, bytes.length, 0);
  file.close();
  const files = new SegmentFiles(fs);
  return readValidRun((start, length) => files.stretch(segment, start, length), HEADER, from);
}

t.test('batches are found in stretches as they are in the whole segment', async (t) => {
  const kib = 1024;
  // They end before, at and behind the ends of stretches; one is longer than a stretch.
  const lengths = [60 * kib, 200 * kib, -40 * kib, 64 * kib, 700 * kib, 100, -200, 255 * kib, 100];
  const { bytes, ends } = segmentOf(lengths);
  const starts = [SEGMENT_HEADER_SIZE, ...ends];
  for (const [i, from] of starts.entries()) {
    const whole = readSegment(bytes, HEADER, from);
    t.equal(whole.batches.length, lengths.length - i);
    t.same(runOf(bytes, from), { batches: whole.batches, end: ends.at(-1) });
  }
});

t.test('the run ends at the first batch that is none', async (t) => {
  const { bytes, ends } = segmentOf([300_000, 100_000, 50_000]);
  const [first, second] = ends as [number, number, number];
  for (const at of [second, second + 4, second + 40_000]) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x80;
    t.same(runOf(damaged, SEGMENT_HEADER_SIZE).end, second, `byte ${at}`);
  }
  for (const length of [second + 1, second + 49_999]) {
    t.equal(runOf(bytes.subarray(0, length), SEGMENT_HEADER_SIZE).end, second, `${length} bytes`);
  }
  t.equal(runOf(bytes.subarray(0, first - 1), SEGMENT_HEADER_SIZE).end, SEGMENT_HEADER_SIZE);
  t.same(runOf(bytes.subarray(0, first), second), { batches: [], end: second });
});
