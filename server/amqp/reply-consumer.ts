/** A channel that consumes direct replies (broker/direct-reply.ts). There is at most one per channel. */
import type { ReplySink } from '../broker/direct-reply.ts';
import type { MessageParts } from '../storage/record-format.ts';
import type { Channel } from './channel.ts';
import { sendDelivery } from './parts-sender.ts';
import { DeliverMethod } from './parts-writer.ts';

/**
 * Nothing holds a reply but the output of who asked. When so many bytes wait there because its socket takes none, it
 * counts as gone.
 */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** One basic.consume of the pseudo-queue. */
export class ReplyConsumer implements ReplySink {
  readonly name: string;
  readonly tag: string;
  private readonly channel: Channel;
  private readonly method: DeliverMethod;
  private isClosed: boolean;

  constructor(channel: Channel, name: string, tag: string) {
    this.name = name;
    this.tag = tag;
    this.channel = channel;
    this.method = new DeliverMethod(tag);
    this.isClosed = false;
  }

  get takesReplies(): boolean {
    const { output, largeOutput } = this.channel.connection;
    return !this.isClosed && output.pendingBytes < WAITING_BYTES_MAX && !largeOutput.isOverdue;
  }

  deliverReply(message: MessageParts): void {
    this.method.deliveryTag = this.channel.nextDeliveryTag();
    sendDelivery(this.channel, this.method, message);
  }

  /** Nothing is delivered any more. */
  close(): void {
    this.isClosed = true;
    this.channel.vhost.directReplies.close(this);
  }
}
