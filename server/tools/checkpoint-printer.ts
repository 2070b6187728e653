/** Prints a checkpoint: its header and a line per queue. */
import { decodeCheckpoint } from '../storage/checkpoint-format.ts';
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
    await out.drained();
  }
}
