/** Prints a checkpoint: its header, a line per queue, and one per row of its index. */
import { decodeCheckpoint } from '../storage/checkpoint-format.ts';
import { type IndexRow, TRIPLET } from '../storage/index-row.ts';
import type { DumpFile } from './dump-file.ts';
import { type DumpOutput, LogPosition } from './dump-output.ts';

/** The `PrintFile` of checkpoints. */
export async function printCheckpoint(file: DumpFile, out: DumpOutput): Promise<void> {
  const checkpoint = decodeCheckpoint(file.readAll());
  if (typeof checkpoint === 'string') {
    out.problem(0, 0, checkpoint);
    return;
  }
  out.item({
    kind: 'checkpoint',
    offset: 0,
    depth: 0,
    fields: {
      clean: checkpoint.clean,
      replay_from: new LogPosition(checkpoint.replayFrom),
      log_end: new LogPosition(checkpoint.logEnd),
      next_large_file: checkpoint.nextLargeFile,
      base: checkpoint.base,
      row_entries: checkpoint.rowEntries,
      gone_queues: checkpoint.gone,
    },
  });
  for (const { index, position, bytes } of checkpoint.parts) {
    out.item({
      kind: 'queue',
      offset: null,
      depth: 1,
      fields: {
        number: index.number,
        position: new LogPosition(position),
        next_sequence: index.nextSequence,
        messages: index.readyCount,
        payload_bytes: bytes,
        large_messages: index.large?.size ?? 0,
        redelivered_up_to: index.redeliveredUpTo,
        deliverable_up_to: index.reservedUpTo,
      },
    });
    for (const row of index.rows.views()) printRow(row, out);
    await out.drained();
  }
}

/** Where the positions of a row are, and how many of its messages are left in which segment. */
function printRow(row: IndexRow, out: DumpOutput): void {
  const { first, count, live, slot, segments } = row;
  const left: { segment: number; messages: number; payload_bytes: number }[] = [];
  for (let at = 0; at < segments.length; at += TRIPLET) {
    const [segment, messages, bytes] = segments.slice(at, at + TRIPLET) as [number, number, number];
    left.push({ segment, messages, payload_bytes: bytes });
  }
  out.item({
    kind: 'row',
    offset: null,
    depth: 2,
    fields: { first, count, messages: live, ...(slot >= 0 && { slot }), segments: left },
  });
}
