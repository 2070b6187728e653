/**
 * Prints a chunk file: its header, and the positions in each slot. Which sequence numbers a slot is for, and whether it
 * is whole, is known where the checkpoints of its vhost lie beside it.
 */
import { dirname } from 'node:path';
import {
  CHUNK_HEADER_SIZE,
  decodeChunkHeader,
  queueOfChunkFile,
} from '../storage/chunk-file-format.ts';
import type { DumpFile } from './dump-file.ts';
import { type DumpOutput, LogPosition } from './dump-output.ts';
import {
  type NamedSlot,
  namedSlots,
  offsetOfSlot,
  problemOfSlot,
  toArrayBuffer,
} from './named-slots.ts';

/** Positions on a line. */
const POSITIONS_PER_LINE = 8;

/** The `PrintFile` of chunk files. */
export async function printChunks(file: DumpFile, out: DumpOutput): Promise<void> {
  const header = decodeChunkHeader(file.read(0, CHUNK_HEADER_SIZE));
  if (typeof header === 'string') {
    out.problem(0, 0, header);
    return;
  }
  const { queue, entries } = header;
  const named = queueOfChunkFile(file.name);
  if (named >= 0 && named !== queue) out.problem(0, 0, `it is of the queue number ${queue}`);
  out.item({ kind: 'chunks', offset: 0, depth: 0, fields: { queue, entries } });
  const slots = namedSlots(file.fs, dirname(dirname(file.path))).get(queue) ?? [];
  const end = Math.max(file.size, ...slots.map(({ slot }) => offsetOfSlot(slot, entries) + 1));
  for (let slot = 0; offsetOfSlot(slot, entries) < end; slot++) {
    const of = slots.filter((each) => each.slot === slot);
    await printSlot(file, slot, entries, of, out);
  }
}

async function printSlot(
  file: DumpFile,
  slot: number,
  entries: number,
  named: readonly NamedSlot[],
  out: DumpOutput,
): Promise<void> {
  const offset = offsetOfSlot(slot, entries);
  const bytes = file.read(offset, 8 * entries);
  const whole = bytes.length - (bytes.length % 8);
  const positions = new Float64Array(toArrayBuffer(bytes.subarray(0, whole)));
  out.item({
    kind: 'slot',
    offset,
    depth: 0,
    fields: {
      slot,
      rows: named.map(({ checkpoint, first, count }) => ({ checkpoint, first, count })),
    },
  });
  for (let at = 0; at < positions.length; at += POSITIONS_PER_LINE) {
    const line = Array.from(positions.subarray(at, at + POSITIONS_PER_LINE));
    // Entries that were never written, or had left before their row was.
    if (line.every((position) => position === 0)) continue;
    const fields = {
      entry: at,
      positions: line.map((each) => (isPosition(each) ? new LogPosition(each) : String(each))),
    };
    out.item({ kind: 'positions', offset: offset + 8 * at, depth: 1, fields });
    await out.drained();
  }
  const wrong = positions.findIndex((position) => !isPosition(position));
  if (wrong >= 0)
    out.problem(offset + 8 * wrong, 1, `entry ${wrong} of slot ${slot} is no position`);
  if (whole < bytes.length) out.problem(offset + whole, 1, 'the last position is cut');
  for (const problem of new Set(named.map((each) => problemOfSlot(file, each)))) {
    if (problem !== null) out.problem(offset, 1, problem);
  }
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
