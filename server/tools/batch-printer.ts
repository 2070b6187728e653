/** Prints the records of one batch: what each says, and which sequence numbers its queues gave out. */
import type { ByteArea } from '../base/byte-area.ts';
import {
  BATCH_HEADER_SIZE,
  type BatchHeader,
  type DecodedFooter,
  readFooter,
} from '../storage/batch-format.ts';
import { LARGE_FOLDER, largeFileName } from '../storage/large-file-format.ts';
import { offsetOf } from '../storage/position.ts';
import {
  DEFINITION_ACTIONS,
  type LargeReference,
  messageSizeAt,
  type RecordVisitor,
  SETTLE_REASONS,
  visitRecord,
} from '../storage/record-format.ts';
import { readDefinitionView } from './definition-view.ts';
import { type DumpOutput, type DumpValue, LogPosition, timeOf } from './dump-output.ts';
import { readMessageView } from './message-view.ts';
import { beginningOf, payloadOf } from './payload.ts';

/** Bytes of a body that are shown unless all are asked for. */
export const BODY_BEGINNING = 64;

/** How much of bodies is printed. */
export interface BodyOptions {
  readonly bodies: boolean;
}

/** Gives the queues of a route set, each with the sequence number that the message has there. */
type Placements = (routeSet: number) => readonly DumpValue[];

/** Prints a batch that lies in `area`, from `start` on; its checksum has been found right. */
export function printBatch(
  area: ByteArea,
  start: number,
  batch: BatchHeader,
  createdMs: number,
  out: DumpOutput,
  options: BodyOptions,
): void {
  const offset = offsetOf(batch.position);
  const footer = readFooter(area.view, start + batch.footerAt, batch.rowCount);
  out.item({
    kind: 'batch',
    offset,
    depth: 0,
    fields: {
      position: new LogPosition(batch.position),
      length: batch.length,
      time: timeOf(batch.timeMs),
      synced_up_to: new LogPosition(batch.syncedUpTo),
      queues: footer.numbers.map((queue, row) => ({ queue, first: footer.firsts[row]! })),
      route_sets: footer.sets.map((rows) => rows.map((row) => footer.numbers[row] ?? null)),
    },
  });
  const printer = new RecordPrinter(area, offset - start, createdMs, out, options, (routeSet) =>
    placementsIn(footer, routeSet),
  );
  const end = start + batch.footerAt;
  let at = start + BATCH_HEADER_SIZE;
  while (at >= 0 && at < end) at = printer.print(at);
}

function placementsIn({ numbers, firsts, sets }: DecodedFooter, routeSet: number): DumpValue[] {
  return (sets[routeSet] ?? []).map((row) => ({
    queue: numbers[row] ?? null,
    sequence: firsts[row]!++,
  }));
}

/** Prints records that lie in an area. */
export class RecordPrinter implements RecordVisitor {
  private readonly area: ByteArea;
  /** What makes an offset in the area one in the file. */
  private readonly shift: number;
  private readonly createdMs: number;
  private readonly out: DumpOutput;
  private readonly options: BodyOptions;
  private readonly placementsOf: Placements;
  /** Offset in the area of the record being visited. */
  private at: number;

  constructor(
    area: ByteArea,
    shift: number,
    createdMs: number,
    out: DumpOutput,
    options: BodyOptions,
    placementsOf: Placements,
  ) {
    this.area = area;
    this.shift = shift;
    this.createdMs = createdMs;
    this.out = out;
    this.options = options;
    this.placementsOf = placementsOf;
    this.at = 0;
  }

  /** Prints the record at `at`; returns the offset behind it, or -1 when its kind is unknown. */
  print(at: number): number {
    this.at = at;
    const next = visitRecord(this.area, at, this);
    if (next < 0) {
      const kind = this.area.view.getUint8(at);
      const what = `record of the unknown kind ${kind}: it and what follows in the batch is left`;
      this.out.problem(at + this.shift, 1, what);
    }
    return next;
  }

  private item(kind: string, fields: Readonly<Record<string, DumpValue>>): void {
    this.out.item({ kind, offset: this.at + this.shift, depth: 1, fields });
  }

  message(at: number, routeSet: number, bodySize: number): void {
    const { buf, view } = this.area;
    const end = at + messageSizeAt(view, at);
    const body = buf.subarray(end - bodySize, end);
    const { bodies } = this.options;
    this.item('message', {
      ...this.headOf(at, routeSet),
      payload_bytes: bodySize,
      ...(bodies ? payloadOf(body) : beginningOf(body, BODY_BEGINNING)),
      ...(!bodies && bodySize > BODY_BEGINNING && { payload_cut: true }),
    });
  }

  largeMessage(at: number, routeSet: number, body: LargeReference): void {
    this.item('large message', {
      ...this.headOf(at, routeSet),
      payload_bytes: body.size,
      file: `${LARGE_FOLDER}/${largeFileName(body.file)}`,
      crc32: body.crc32,
    });
  }

  private headOf(at: number, routeSet: number): Readonly<Record<string, DumpValue>> {
    const { exchange, routingKey, properties } = readMessageView(this.area, at);
    return {
      to: this.placementsOf(routeSet),
      time: timeOf(this.createdMs + this.area.view.getUint32(at + 12)),
      exchange,
      routing_key: routingKey,
      properties,
    };
  }

  enqueue(routeSet: number, bodySize: number, position: number, largeFile: number): void {
    this.item('enqueue', {
      to: this.placementsOf(routeSet),
      position: new LogPosition(position),
      payload_bytes: bodySize,
      ...(largeFile !== 0 && { file: `${LARGE_FOLDER}/${largeFileName(largeFile)}` }),
    });
  }

  settle(queue: number, reason: number, bytes: number, ranges: readonly number[]): void {
    const name = Object.entries(SETTLE_REASONS).find(([, number]) => number === reason)?.[0];
    this.item('settle', {
      queue,
      reason: name ?? reason,
      sequences: pairsOf(ranges),
      payload_bytes: bytes,
    });
  }

  requeue(queue: number, entries: readonly number[]): void {
    const messages = pairsOf(entries).map(([sequence, count]) => ({
      sequence: sequence!,
      delivery_count: count!,
    }));
    this.item('requeue', { queue, messages });
  }

  deliverable(queue: number, upTo: number): void {
    this.item('deliverable', { queue, up_to: upTo });
  }

  purge(queue: number, upTo: number, keptBytes: number, kept: readonly number[]): void {
    this.item('purge', { queue, up_to: upTo, kept: pairsOf(kept), kept_bytes: keptBytes });
  }

  definition(queue: number, action: number, frame: Buffer): void {
    const { fields, problem } = readDefinitionView(frame);
    const name = Object.entries(DEFINITION_ACTIONS).find(([, number]) => number === action)?.[0];
    this.item('definition', {
      ...(queue !== 0 && { number: queue }),
      ...(action !== DEFINITION_ACTIONS.declare && { action: name ?? action }),
      ...fields,
    });
    if (problem !== null) this.out.problem(this.at + this.shift, 1, problem);
  }
}

function pairsOf(values: readonly number[]): number[][] {
  const pairs: number[][] = [];
  for (let i = 0; i + 1 < values.length; i += 2) pairs.push([values[i]!, values[i + 1]!]);
  return pairs;
}
