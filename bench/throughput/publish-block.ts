/** Publishes, encoded once: what a producer writes again and again. */
import {
  type BasicProperties,
  CONTENT_HEADER_FIXED_SIZE,
  encodeBasicPublish,
  FRAME_HEADER_SIZE,
  FRAME_OVERHEAD,
  sizeOfBasicProperties,
  sizeOfBasicPublish,
} from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from '../amqp/content.ts';
import { type MessageBlock, repeatMessages } from '../amqp/message-block.ts';

const DELIVERY_MODE_PERSISTENT = 2;
const BODY_OCTET = 0x66;

/** What a publish is. */
export interface PublishOptions {
  readonly channel: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly bodySizeBytes: number;
  readonly persistent: boolean;
  /** As negotiated; 0: no limit. */
  readonly frameMax: number;
  readonly properties?: BasicProperties;
}

/** What the messages of a block are. */
export interface PublishBlockOptions extends Omit<PublishOptions, 'routingKey' | 'bodySizeBytes'> {
  /** They take turns, message by message. */
  readonly routingKeys: readonly string[];
  /** They take turns as well: every routing key has had one size before the next begins. */
  readonly bodySizesBytes: readonly number[];
}

/** Messages and where in each its body begins. */
export interface PublishBlock extends MessageBlock {
  /** By the index in the block: the offset of the body's first octet, the body having one. */
  readonly bodyOffsets: Uint32Array;
  readonly bodySizesBytes: Uint32Array;
}

/**
 * Encodes as many rounds of publishes as fit a block.
 *
 * @throws RangeError when one round is too large for a block.
 */
export function buildPublishBlock(options: PublishBlockOptions): PublishBlock {
  const { exchange, properties, persistent, routingKeys, bodySizesBytes } = options;
  const publishes = bodySizesBytes.flatMap((bodySizeBytes) =>
    routingKeys.map((routingKey) => ({ routingKey, bodySizeBytes })),
  );
  const block = repeatMessages(
    publishes.map((publish) => encodePublish({ ...options, ...publish })),
  );
  const contentHeaderBytes =
    FRAME_OVERHEAD +
    CONTENT_HEADER_FIXED_SIZE +
    sizeOfBasicProperties(allProperties(properties, persistent));
  const bodyOffsets = new Uint32Array(block.count);
  const bodySizes = new Uint32Array(block.count);
  for (let i = 0; i < block.count; i++) {
    const { routingKey, bodySizeBytes } = publishes[i % publishes.length]!;
    const publishBytes = sizeOfBasicPublish(publishMethod(exchange, routingKey));
    bodyOffsets[i] = block.offsets[i]! + publishBytes + contentHeaderBytes + FRAME_HEADER_SIZE;
    bodySizes[i] = bodySizeBytes;
  }
  return { ...block, bodyOffsets, bodySizesBytes: bodySizes };
}

/** All frames of one publish. Its body ends where the result does, but for the end octet of its last frame. */
export function encodePublish(options: PublishOptions): Buffer {
  const { channel, exchange, routingKey, bodySizeBytes, persistent, frameMax } = options;
  const publish = publishMethod(exchange, routingKey);
  const properties = allProperties(options.properties, persistent);
  const body = Buffer.alloc(bodySizeBytes, BODY_OCTET);
  const message = Buffer.allocUnsafe(
    sizeOfBasicPublish(publish) + sizeOfContent(properties, bodySizeBytes, frameMax),
  );
  const at = encodeBasicPublish(message, 0, channel, publish);
  encodeContent(message, at, channel, properties, body, frameMax);
  return message;
}

function publishMethod(exchange: string, routingKey: string) {
  return { exchange, routingKey, mandatory: false, immediate: false };
}

function allProperties(
  properties: BasicProperties | undefined,
  persistent: boolean,
): BasicProperties {
  return persistent ? { ...properties, deliveryMode: DELIVERY_MODE_PERSISTENT } : { ...properties };
}
