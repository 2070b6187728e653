/** Which kinds of records are at stake in a crash: in bytes of segments that are written and not stable. */
import { basename } from 'node:path';
import { ByteArea } from '../../base/byte-area.ts';
import { BATCH_HEADER_SIZE } from '../../storage/batch-format.ts';
import { type RecordVisitor, visitRecord } from '../../storage/record-format.ts';
import type { UnsyncedWrite } from '../simulated-fs.ts';

/** The kinds that a report counts. */
export const RECORD_KINDS: readonly string[] = [
  'message',
  'large message',
  'enqueue',
  'settle',
  'requeue',
  'deliverable',
  'purge',
  'definition',
  'gap',
];

const BATCH_MAGIC = 'FBAT';
const GAP_MAGIC = 'FGAP';
const LENGTH_AT = 4;
const FOOTER_AT = 32;

/** The kinds in these writes, each once. */
export function recordKindsIn(writes: readonly UnsyncedWrite[]): string[] {
  const kinds = new Set<string>();
  for (const { path, bytes } of writes) {
    if (basename(path).startsWith('msgs.')) visitBatches(bytes, kinds);
  }
  return [...kinds];
}

/** A write holds whole batches, or a gap, or a segment's header. */
function visitBatches(bytes: Buffer, kinds: Set<string>): void {
  const area = new ByteArea(bytes);
  let at = 0;
  while (at + BATCH_HEADER_SIZE <= bytes.length) {
    const magic = bytes.toString('latin1', at, at + 4);
    if (magic === GAP_MAGIC) kinds.add('gap');
    if (magic !== BATCH_MAGIC) return;
    const end = at + bytes.readUInt32BE(at + LENGTH_AT);
    // A piece of a write, or a copy of what a crash has torn, may say anything.
    if (end < at + BATCH_HEADER_SIZE || end > bytes.length) return;
    visitRecords(area, at + BATCH_HEADER_SIZE, at + bytes.readUInt32BE(at + FOOTER_AT), kinds);
    at = end;
  }
}

function visitRecords(area: ByteArea, from: number, to: number, kinds: Set<string>): void {
  const note = (kind: string) => (): void => {
    kinds.add(kind);
  };
  const visitor: RecordVisitor = {
    message: note('message'),
    largeMessage: note('large message'),
    enqueue: note('enqueue'),
    settle: note('settle'),
    requeue: note('requeue'),
    deliverable: note('deliverable'),
    purge: note('purge'),
    definition: note('definition'),
  };
  for (let at = from; at >= 0 && at < to; ) at = visitRecord(area, at, visitor);
}
