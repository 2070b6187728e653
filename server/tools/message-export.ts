/**
 * A vhost's messages as JSON lines, queue by queue in their order, with the keys of RabbitMQ's HTTP API:
 *
 *     {"vhost","queue","exchange","routing_key","redelivered","properties","payload_bytes","payload_encoding","payload"}
 */
import type { TextSink } from '../base/text-sink.ts';
import type { Queue } from '../broker/queue.ts';
import type { FileSystem } from '../storage/fs.ts';
import { LARGE_HEADER_SIZE } from '../storage/large-file-format.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { MessageStore } from '../storage/message-store.ts';
import { NOT_LOADED } from '../storage/queue-index.ts';
import {
  bodySizeAt,
  isLargeAt,
  largeReferenceAt,
  messageSizeAt,
  RECORD_LARGE_MESSAGE,
  RECORD_MESSAGE,
} from '../storage/record-format.ts';
import { DumpFile } from './dump-file.ts';
import { BODY_PIECE_SIZE, findBodyProblem, largePathOf } from './large-body-check.ts';
import { readMessageView } from './message-view.ts';
import { type Payload, payloadOf } from './payload.ts';
import type { SegmentMap } from './segment-map.ts';

/** Bytes read at once: messages of one queue tend to lie together. */
const READ_BYTES = 1024 * 1024;

/** Where messages are read from, and where they go. */
export interface ExportContext {
  readonly vhost: string;
  /** What the directory's files hold. */
  readonly fs: FileSystem;
  readonly directory: string;
  readonly map: SegmentMap;
  readonly sink: TextSink;
}

/** How a queue's messages fared. */
export interface ExportedQueue {
  readonly exported: number;
  /** Messages that the queue has and that cannot be read. */
  readonly unreadable: number;
}

/** Writes all messages of a queue that can be read; the queue's messages are all taken then. */
export async function exportQueue(queue: Queue, context: ExportContext): Promise<ExportedQueue> {
  const { index, messageStore: store } = queue;
  let exported = 0;
  let unreadable = 0;
  while (index.readyCount > 0) {
    const position = index.peekPosition();
    if (position === NOT_LOADED) {
      const error = await new Promise((resolve) => store.loadRow(index, resolve));
      if (error === null) continue;
      return { exported, unreadable: unreadable + index.readyCount };
    }
    const block = context.map.holds(position) ? await readRecord(store, position) : null;
    index.take(block === null ? 0 : bodySizeAt(block.area.view, position - block.start));
    const isWritten = block !== null && (await writeMessage(block, position, queue, context));
    if (isWritten) exported++;
    else unreadable++;
  }
  return { exported, unreadable };
}

/** The block that holds the whole message record at `position`; null when it cannot be read, or is none. */
export async function readRecord(
  store: MessageStore,
  position: number,
): Promise<MemoryBlock | null> {
  // A second read may be needed to see how large the record is; one more only where the file ends early.
  for (let reads = 0; reads < 3; reads++) {
    const block = store.locate(position);
    if (block !== null) return isMessage(block, position) ? block : null;
    const error = await new Promise((resolve) => store.fetch(position, READ_BYTES, resolve));
    if (error !== null) return null;
  }
  return null;
}

function isMessage({ area, start }: MemoryBlock, position: number): boolean {
  const kind = area.view.getUint8(position - start);
  return kind === RECORD_MESSAGE || kind === RECORD_LARGE_MESSAGE;
}

/** Writes the message that the queue's index has just taken as a line; false when its body cannot be read. */
async function writeMessage(
  { area, start }: MemoryBlock,
  position: number,
  { name, index }: Queue,
  { vhost, fs, directory, sink }: ExportContext,
): Promise<boolean> {
  const at = position - start;
  const { exchange, routingKey, properties } = readMessageView(area, at);
  const head = {
    vhost,
    queue: name,
    exchange,
    routing_key: routingKey,
    redelivered: index.takenRedelivered,
    properties,
    payload_bytes: bodySizeAt(area.view, at),
  };
  if (isLargeAt(area.view, at)) {
    const body = largeReferenceAt(area.view, at);
    if (findBodyProblem(fs, directory, body) !== null) return false;
    await writeLargeLine(fs, largePathOf(directory, body), body.size, head, sink);
  } else {
    const end = at + messageSizeAt(area.view, at);
    const body = area.buf.subarray(end - head.payload_bytes, end);
    sink.write(`${JSON.stringify({ ...head, ...encodedPayload(body) })}\n`);
  }
  await sink.drained();
  return true;
}

function encodedPayload(body: Buffer): Payload {
  const { payload, payload_encoding } = payloadOf(body);
  return { payload_encoding, payload };
}

/** A line whose body goes piece by piece, as base64 whatever it is. */
async function writeLargeLine(
  fs: FileSystem,
  path: string,
  size: number,
  head: object,
  sink: TextSink,
): Promise<void> {
  const file = new DumpFile(fs, path);
  try {
    const text = JSON.stringify({ ...head, payload_encoding: 'base64', payload: '' });
    sink.write(text.slice(0, -2));
    for (let at = 0; at < size; at += BODY_PIECE_SIZE) {
      const piece = file.read(LARGE_HEADER_SIZE + at, Math.min(BODY_PIECE_SIZE, size - at));
      sink.write(piece.toString('base64'));
      await sink.drained();
    }
    sink.write('"}\n');
  } finally {
    file.close();
  }
}
