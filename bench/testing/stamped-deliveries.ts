/** Deliveries of messages as a producer stamps them, for tests of what looks into them. */
import { encodeBasicDeliver, sizeOfBasicDeliver } from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from '../amqp/content.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import type { BodyFilling } from '../throughput/body-filling.ts';
import { MessageStamper } from '../throughput/message-stamper.ts';
import { buildPublishBlock } from '../throughput/publish-block.ts';

/** What is delivered. */
export interface StampedOptions {
  readonly count: number;
  readonly bodySizesBytes: readonly number[];
  readonly filling: BodyFilling;
  readonly firstLane: number;
  readonly frameMax: number;
  /** Of the first message, on the clock of `performance.now()`; each further one a microsecond later. */
  readonly dueUs: number;
}

/** The bodies of messages that one producer publishes to one queue, in their order. */
export function stampedBodies(options: StampedOptions): Buffer[] {
  const { count, bodySizesBytes, filling, firstLane, frameMax } = options;
  const block = buildPublishBlock({
    channel: BENCH_CHANNEL,
    exchange: '',
    routingKeys: ['q'],
    bodySizesBytes,
    persistent: false,
    frameMax,
  });
  const stamper = new MessageStamper(block, {
    time: true,
    number: true,
    firstLane,
    queueCount: 1,
    filling,
    frameMax,
  });
  return Array.from({ length: count }, (_, number) => {
    const index = number % block.count;
    stamper.stamp(index, 1, number, options.dueUs + number, 0);
    return bodyOf(block.bytes, block.bodyOffsets[index]!, block.bodySizesBytes[index]!, frameMax);
  });
}

/** Takes the frames around a body away. */
function bodyOf(bytes: Buffer, at: number, sizeBytes: number, frameMax: number): Buffer {
  const pieces: Buffer[] = [];
  for (let left = sizeBytes; left > 0; ) {
    const piece = Math.min(left, frameMax - 8);
    pieces.push(bytes.subarray(at, at + piece));
    at += piece + 8;
    left -= piece;
  }
  return Buffer.concat(pieces);
}

/** A delivery of a body; `redelivered` as it is to be marked. */
export function encodeDelivery(
  body: Buffer,
  deliveryTag: number,
  redelivered: boolean,
  frameMax: number,
): Buffer {
  const deliver = { consumerTag: 'c', deliveryTag, redelivered, exchange: '', routingKey: 'q' };
  const buf = Buffer.alloc(sizeOfBasicDeliver(deliver) + sizeOfContent({}, body.length, frameMax));
  const at = encodeBasicDeliver(buf, 0, BENCH_CHANNEL, deliver);
  encodeContent(buf, at, BENCH_CHANNEL, {}, body, frameMax);
  return buf;
}
