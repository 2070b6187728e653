/** Prints a segment: header, batches with their records, gaps, and what is none of these. */
import { ByteArea } from '../base/byte-area.ts';
import { SEGMENT_HEADER_SIZE, type SegmentHeader } from '../storage/batch-format.ts';
import { readSegment } from '../storage/log-reader.ts';
import { offsetOf } from '../storage/position.ts';
import { segmentOffsetOf } from '../storage/segment.ts';
import { type BodyOptions, printBatch } from './batch-printer.ts';
import type { DumpFile } from './dump-file.ts';
import { type DumpOutput, LogPosition, timeOf } from './dump-output.ts';
import { readSegmentHeader, withoutReplaced } from './segment-header.ts';

/** The `PrintFile` of segments. */
export async function printSegment(
  file: DumpFile,
  out: DumpOutput,
  options: BodyOptions,
): Promise<void> {
  const bytes = withoutReplaced(file.readAll(), segmentOffsetOf(file.name));
  const { header, problem } = readSegmentHeader(file.name, bytes);
  if (problem !== null) out.problem(0, 0, problem);
  if (header === null) return;
  printHeader(header, out);
  await printContent(bytes, header, out, options);
}

function printHeader(header: SegmentHeader, out: DumpOutput): void {
  out.item({
    kind: 'segment',
    offset: 0,
    depth: 0,
    fields: {
      segment: header.number,
      salt: `0x${header.salt.toString(16).padStart(8, '0')}`,
      created: timeOf(header.createdMs),
      previous_end: new LogPosition(header.previousEnd),
    },
  });
}

async function printContent(
  bytes: Buffer,
  header: SegmentHeader,
  out: DumpOutput,
  options: BodyOptions,
): Promise<void> {
  const area = new ByteArea(bytes);
  const { batches, invalid, length } = readSegment(bytes, header);
  let nextInvalid = 0;
  for (const batch of batches) {
    const offset = offsetOf(batch.position);
    while (nextInvalid < invalid.length && invalid[nextInvalid]!.from < offset) {
      printInvalid(invalid[nextInvalid++]!, out);
    }
    if (batch.isGap) {
      out.item({
        kind: 'gap',
        offset,
        depth: 0,
        fields: {
          position: new LogPosition(batch.position),
          length: batch.length,
          time: timeOf(batch.timeMs),
          synced_up_to: new LogPosition(batch.syncedUpTo),
        },
      });
    } else {
      printBatch(area, offset, batch, header.createdMs, out, options);
    }
    await out.drained();
  }
  for (const stretch of invalid.slice(nextInvalid)) printInvalid(stretch, out);
  out.item({ kind: 'end', offset: Math.max(length, SEGMENT_HEADER_SIZE), depth: 0, fields: {} });
}

function printInvalid({ from, to }: { from: number; to: number }, out: DumpOutput): void {
  out.problem(from, 0, `bytes ${from} to ${to} are no valid batch`);
}
