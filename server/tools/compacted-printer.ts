/** Prints a compacted segment: header, blocks with the messages that are left, and its table. */
import { ByteArea } from '../base/byte-area.ts';
import {
  blockLengthAt,
  COMPACTED_HEADER_SIZE,
  type CompactedHeader,
  decodeCompactedHeader,
  decodeTable,
  readBlock,
  sizeOfTable,
} from '../storage/compacted-format.ts';
import { recordSizeAt } from '../storage/record-format.ts';
import { type BodyOptions, RecordPrinter } from './batch-printer.ts';
import type { DumpFile } from './dump-file.ts';
import { type DumpOutput, type DumpValue, LogPosition, timeOf } from './dump-output.ts';

/** The `PrintFile` of compacted segments. */
export async function printCompacted(
  file: DumpFile,
  out: DumpOutput,
  options: BodyOptions,
): Promise<void> {
  const bytes = file.readAll();
  const header = decodeCompactedHeader(bytes);
  if (typeof header === 'string') {
    out.problem(0, 0, header);
    return;
  }
  out.item({
    kind: 'compacted',
    offset: 0,
    depth: 0,
    fields: {
      segment: header.number,
      salt: `0x${header.salt.toString(16).padStart(8, '0')}`,
      created: timeOf(header.createdMs),
      previous_end: new LogPosition(header.previousEnd),
      end_offset: header.endOffset,
      messages: header.messageCount,
    },
  });
  const end = Math.min(header.tableAt, bytes.length);
  let at = COMPACTED_HEADER_SIZE;
  while (at < end) {
    const next = printBlock(new ByteArea(bytes), at, end, header, out, options);
    if (next < 0) {
      const claimed = at + blockLengthAt(new ByteArea(bytes).view, at);
      const to = claimed > at && claimed <= end ? claimed : end;
      out.problem(at, 0, `bytes ${at} to ${to} are no valid block`);
      at = to;
    } else {
      at = next;
    }
    await out.drained();
  }
  printTable(bytes, header, out);
}

function printBlock(
  area: ByteArea,
  at: number,
  end: number,
  { number, salt, createdMs }: CompactedHeader,
  out: DumpOutput,
  options: BodyOptions,
): number {
  let placed: readonly DumpValue[] = [];
  const printer = new RecordPrinter(area, 0, createdMs, out, options, () => placed);
  let isFirst = true;
  return readBlock(area, at, end, salt, recordSizeAt, (original, placements, recordAt) => {
    if (isFirst) out.item({ kind: 'block', offset: at, depth: 0, fields: { segment: number } });
    isFirst = false;
    placed = queuesOf(placements);
    out.item({ kind: 'entry', offset: null, depth: 1, fields: { original_offset: original } });
    printer.print(recordAt);
  });
}

function queuesOf(placements: readonly number[]): DumpValue[] {
  const queues: DumpValue[] = [];
  for (let i = 0; i + 1 < placements.length; i += 2) {
    queues.push({ queue: placements[i]!, sequence: placements[i + 1]! });
  }
  return queues;
}

function printTable(bytes: Buffer, header: CompactedHeader, out: DumpOutput): void {
  const { tableAt, messageCount, salt } = header;
  const size = sizeOfTable(messageCount);
  const table = decodeTable(bytes.subarray(tableAt, tableAt + size), messageCount, salt);
  if (table === null) out.problem(tableAt, 0, 'the table of offsets is damaged or cut');
  else out.item({ kind: 'table', offset: tableAt, depth: 0, fields: { rows: table.length } });
}
