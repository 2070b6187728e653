/**
 * A vhost's messages as JSON lines, queue by queue in their order, with the keys of RabbitMQ's HTTP API:
 *
 *     {"vhost","queue","exchange","routing_key","redelivered","properties","payload_bytes","payload_encoding","payload"}
 */
import type { TextSink } from '../base/text-sink.ts';
import type { Queue } from '../broker/queue.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { MessageStore } from '../storage/message-store.ts';
import { bodySizeAt, messageSizeAt, RECORD_MESSAGE } from '../storage/record-format.ts';
import { readMessageView } from './message-view.ts';
import { payloadOf } from './payload.ts';
import type { SegmentMap } from './segment-map.ts';

/** Bytes read at once: messages of one queue tend to lie together. */
const READ_BYTES = 1024 * 1024;

/** How a queue's messages fared. */
export interface ExportedQueue {
  readonly exported: number;
  /** Messages that the queue has and that cannot be read. */
  readonly unreadable: number;
}

/** Writes all messages of a queue that can be read; the queue's messages are all taken then. */
export async function exportQueue(
  vhost: string,
  queue: Queue,
  map: SegmentMap,
  sink: TextSink,
): Promise<ExportedQueue> {
  const { index, messageStore: store } = queue;
  let exported = 0;
  let unreadable = 0;
  while (index.readyCount > 0) {
    const position = index.peekPosition();
    const block = map.holds(position) ? await blockWith(store, position) : null;
    if (block === null || !isMessage(block, position)) {
      index.take(0);
      unreadable++;
      continue;
    }
    index.take(bodySizeAt(block.area.view, position - block.start));
    const names = { vhost, queue: queue.name, redelivered: index.takenRedelivered };
    writeMessage(block, position, names, sink);
    exported++;
    await sink.drained();
  }
  return { exported, unreadable };
}

/** The block that holds the whole record at `position`; null when it cannot be read. */
async function blockWith(store: MessageStore, position: number): Promise<MemoryBlock | null> {
  // A second read may be needed to see how large the record is; one more only where the file ends early.
  for (let reads = 0; reads < 3; reads++) {
    const block = store.locate(position);
    if (block !== null) return block;
    const error = await new Promise((resolve) => store.fetch(position, READ_BYTES, resolve));
    if (error !== null) return null;
  }
  return store.locate(position);
}

function isMessage({ area, start }: MemoryBlock, position: number): boolean {
  return area.view.getUint8(position - start) === RECORD_MESSAGE;
}

interface MessageNames {
  readonly vhost: string;
  readonly queue: string;
  readonly redelivered: boolean;
}

function writeMessage(
  { area, start }: MemoryBlock,
  position: number,
  { vhost, queue, redelivered }: MessageNames,
  sink: TextSink,
): void {
  const at = position - start;
  const { exchange, routingKey, properties } = readMessageView(area, at);
  const end = at + messageSizeAt(area.view, at);
  const size = bodySizeAt(area.view, at);
  const { payload, payload_encoding } = payloadOf(area.buf.subarray(end - size, end));
  const line = {
    vhost,
    queue,
    exchange,
    routing_key: routingKey,
    redelivered,
    properties,
    payload_bytes: size,
    payload_encoding,
    payload,
  };
  sink.write(`${JSON.stringify(line)}\n`);
}
