/** @hot Identical deliveries, encoded once and then only given their delivery tags. */
import { encodeBasicDeliver, sizeOfBasicDeliver, writeU64 } from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from '../amqp/content.ts';
import { type MessageBlock, messagesView, repeatMessage } from '../amqp/message-block.ts';

/** Frame header (7), method id (4) and the length octet of the consumer tag. */
const CONSUMER_TAG_TEXT_OFFSET = 12;

/** The deliveries of one consumer. */
export class DeliveryBlock {
  private readonly block: MessageBlock;
  private readonly tagOffset: number;

  constructor(channel: number, consumerTag: string, body: Buffer, frameMax: number) {
    const { frame, tagAt } = createDeliverFrame(channel, consumerTag);
    const content = Buffer.allocUnsafe(sizeOfContent({}, body.length, frameMax));
    encodeContent(content, 0, channel, {}, body, frameMax);
    this.tagOffset = tagAt;
    this.block = repeatMessage(Buffer.concat([frame, content]));
  }

  /** The most messages that {@link fill} takes. */
  get count(): number {
    return this.block.count;
  }

  /** `count` deliveries, tagged from `firstTag` on. Borrowed: valid until the next call. */
  fill(count: number, firstTag: number): Buffer {
    const { bytes, offsets } = this.block;
    for (let i = 0; i < count; i++) writeU64(bytes, offsets[i]! + this.tagOffset, firstTag + i);
    return messagesView(this.block, count);
  }
}

/** The basic.deliver frame with which every delivery to a consumer begins, and where in it its tag (8 octets) goes. */
export function createDeliverFrame(
  channel: number,
  consumerTag: string,
): { readonly frame: Buffer; readonly tagAt: number } {
  const deliver = {
    consumerTag,
    deliveryTag: 0,
    redelivered: false,
    exchange: '',
    routingKey: 'q',
  };
  const frame = Buffer.alloc(sizeOfBasicDeliver(deliver));
  encodeBasicDeliver(frame, 0, channel, deliver);
  return { frame, tagAt: CONSUMER_TAG_TEXT_OFFSET + Buffer.byteLength(consumerTag) };
}
