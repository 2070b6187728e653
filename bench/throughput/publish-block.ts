/** Identical publishes, encoded once: what a producer writes again and again. */
import { encodeBasicPublish, sizeOfBasicPublish } from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from '../amqp/content.ts';
import { type MessageBlock, repeatMessage } from '../amqp/message-block.ts';

const DELIVERY_MODE_PERSISTENT = 2;
const BODY_OCTET = 0x66;

/** What every message of a block is. */
export interface PublishBlockOptions {
  readonly channel: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly bodySizeBytes: number;
  readonly persistent: boolean;
  /** As negotiated; 0: no limit. */
  readonly frameMax: number;
}

/** Encodes as many publishes as fit a block. */
export function buildPublishBlock(options: PublishBlockOptions): MessageBlock {
  return repeatMessage(encodePublish(options));
}

/** All frames of one publish. Its body ends where the result does, but for the end octet of its last frame. */
export function encodePublish(options: PublishBlockOptions): Buffer {
  const { channel, exchange, routingKey, bodySizeBytes, frameMax } = options;
  const publish = { exchange, routingKey, mandatory: false, immediate: false };
  const properties = options.persistent ? { deliveryMode: DELIVERY_MODE_PERSISTENT } : {};
  const body = Buffer.alloc(bodySizeBytes, BODY_OCTET);
  const message = Buffer.allocUnsafe(
    sizeOfBasicPublish(publish) + sizeOfContent(properties, bodySizeBytes, frameMax),
  );
  const at = encodeBasicPublish(message, 0, channel, publish);
  encodeContent(message, at, channel, properties, body, frameMax);
  return message;
}
