/** basic: qos, consume, cancel, get, ack, nack, reject, recover. Publishing is in channel.ts. */
import {
  BASIC_GET_OK_ID,
  type BasicConsume,
  encodeBasicCancelOk,
  encodeBasicConsumeOk,
  encodeBasicGetEmpty,
  encodeBasicQosOk,
  encodeBasicRecoverOk,
  finishMethodFrame,
  type ServerMethods,
  sizeOfBasicCancelOk,
  sizeOfBasicConsumeOk,
  sizeOfBasicGetEmpty,
  sizeOfBasicQosOk,
  sizeOfBasicRecoverOk,
  writeU32,
  writeU64,
} from '../../../generated/index.ts';
import { type ByteArea, newByteArea } from '../../base/byte-area.ts';
import { REPLY_QUEUE } from '../../broker/direct-reply.ts';
import { type GotMessage, getMessage } from '../../broker/get.ts';
import type { Queue } from '../../broker/queue.ts';
import {
  consumerPriority,
  generateName,
  readableQueue,
  removeConsumer,
  requireConsumable,
} from '../../broker/queues.ts';
import type { LargeBodyReader } from '../../storage/large-body-reader.ts';
import {
  bodySizeAt,
  envelopeSizeAt,
  isLargeAt,
  largeReferenceAt,
  MESSAGE_HEAD_SIZE,
  propertiesSizeAt,
} from '../../storage/record-format.ts';
import type { Channel } from '../channel.ts';
import {
  sizeOfContent,
  sizeOfContentHeader,
  writeBody,
  writeContentHeader,
} from '../delivery-writer.ts';
import { GetQueue } from '../get-queue.ts';
import { notAllowed, notImplemented, preconditionFailed } from '../protocol-error.ts';
import { ReplyConsumer } from '../reply-consumer.ts';
import type { PendingReply } from '../reply-order.ts';
import { queueNameOf } from './queue-name.ts';

const CONSUMER_TAG_PREFIX = 'amq.ctag-';

/** One function per method that a client may send. */
export const basicHandlers: Pick<
  ServerMethods<Channel>,
  | 'basicQos'
  | 'basicConsume'
  | 'basicCancel'
  | 'basicCancelOk'
  | 'basicGet'
  | 'basicAck'
  | 'basicNack'
  | 'basicReject'
  | 'basicRecover'
  | 'basicRecoverAsync'
> = {
  basicQos(channel, m) {
    if (m.prefetchSize !== 0) throw notImplemented(`prefetch_size!=0 (${m.prefetchSize})`);
    if (m.global) {
      channel.channelPrefetchCount = m.prefetchCount;
      channel.wakeConsumers();
    } else {
      channel.consumerPrefetchCount = m.prefetchCount;
    }
    channel.reply(-1, () =>
      channel.write(sizeOfBasicQosOk(), (buf, at) => encodeBasicQosOk(buf, at, channel.number)),
    );
  },

  basicConsume(channel, m) {
    const { vhost, actor } = channel;
    const tag = m.consumerTag === '' ? generateName(CONSUMER_TAG_PREFIX) : m.consumerTag;
    requireFreeTag(channel, tag);
    if (m.queue === REPLY_QUEUE) {
      consumeReplies(channel, tag, m);
      return;
    }
    requireRoomForConsumer(channel);
    const queueName = queueNameOf(channel, m.queue);
    const queue = readableQueue(vhost, actor, queueName);
    const priority = consumerPriority(vhost, queueName, m.arguments);
    requireConsumable(vhost, queue, m.exclusive);
    const options = {
      tag,
      noAck: m.noAck,
      exclusive: m.exclusive,
      prefetchCount: m.noAck ? 0 : channel.consumerPrefetchCount,
      priority,
    };
    const consumer = channel.addConsumer(queue, options);
    // Deliveries must not overtake the consume-ok, so they begin with it.
    channel.reply(-1, () => {
      if (!m.noWait) writeConsumeOk(channel, tag);
      queue.startConsumer(consumer);
    });
  },

  basicCancel(channel, m) {
    // In its turn, since the consume before it may still wait for its own.
    channel.reply(-1, () => {
      const consumer = channel.consumers.get(m.consumerTag);
      if (channel.replyConsumer?.tag === m.consumerTag) {
        channel.replyConsumer.close();
        channel.replyConsumer = null;
      } else if (consumer !== undefined) {
        channel.consumers.delete(m.consumerTag);
        removeConsumer(channel.vhost, consumer);
      }
      if (m.noWait) return;
      const method = { consumerTag: m.consumerTag };
      channel.write(sizeOfBasicCancelOk(method), (buf, at) =>
        encodeBasicCancelOk(buf, at, channel.number, method),
      );
    });
  },

  basicCancelOk() {
    // The answer to a cancel that the server sent: nothing is left to do.
  },

  basicGet(channel, m) {
    const { vhost, actor } = channel;
    const queue = readableQueue(vhost, actor, queueNameOf(channel, m.queue));
    const reply = channel.holdReply();
    const gets = getsOf(channel);
    gets.add(() =>
      getMessage(queue, performance.now(), (message) => {
        if (channel.isClosing) giveBack(queue, message);
        else if (message === null) reply.send = () => sendGetEmpty(channel);
        else prepareGetOk(channel, gets, queue, message, m.noAck, reply);
        gets.ended();
        channel.releaseReplies();
      }),
    );
  },

  basicAck(channel, m) {
    channel.requireGiven(m.deliveryTag);
    channel.settlements.settle(m.deliveryTag, m.multiple, true);
  },

  basicNack(channel, m) {
    channel.requireGiven(m.deliveryTag);
    if (m.requeue) channel.settlements.requeue(m.deliveryTag, m.multiple);
    else channel.settlements.settle(m.deliveryTag, m.multiple, false);
  },

  basicReject(channel, m) {
    channel.requireGiven(m.deliveryTag);
    if (m.requeue) channel.settlements.requeue(m.deliveryTag, false);
    else channel.settlements.settle(m.deliveryTag, false, false);
  },

  basicRecover(channel, m) {
    recover(channel, m.requeue, () =>
      channel.write(sizeOfBasicRecoverOk(), (buf, at) =>
        encodeBasicRecoverOk(buf, at, channel.number),
      ),
    );
  },

  basicRecoverAsync(channel, m) {
    recover(channel, m.requeue, () => {});
  },
};

function writeConsumeOk(channel: Channel, consumerTag: string): void {
  channel.write(sizeOfBasicConsumeOk({ consumerTag }), (buf, at) =>
    encodeBasicConsumeOk(buf, at, channel.number, { consumerTag }),
  );
}

function requireFreeTag(channel: Channel, tag: string): void {
  if (channel.consumers.has(tag) || channel.replyConsumer?.tag === tag) {
    throw notAllowed(`attempt to reuse consumer tag '${tag}'`);
  }
}

function requireRoomForConsumer({ consumers, connection }: Channel): void {
  const max = connection.consumersPerChannelMax;
  if (max > 0 && consumers.size >= max) {
    throw notAllowed(`reached maximum (${max}) of consumers per channel`);
  }
}

/** Consumes the pseudo-queue of direct replies (broker/direct-reply.ts). */
function consumeReplies(channel: Channel, tag: string, { noAck, noWait }: BasicConsume): void {
  if (!noAck) throw preconditionFailed('reply consumer cannot acknowledge');
  if (channel.replyConsumer !== null) throw preconditionFailed('reply consumer already set');
  const { directReplies } = channel.vhost;
  const consumer = new ReplyConsumer(channel, directReplies.newName(), tag);
  channel.replyConsumer = consumer;
  directReplies.open(consumer);
  if (!noWait) channel.reply(-1, () => writeConsumeOk(channel, tag));
}

/** Gives back all that the peer has been sent when `answer` leaves, which may have to wait for replies before it. */
function recover(channel: Channel, requeue: boolean, answer: () => void): void {
  if (!requeue) throw notImplemented('requeue=false');
  const gets = getsOf(channel);
  const reply = channel.holdReply();
  gets.add(() => {
    reply.send = () => {
      channel.settlements.requeueUpTo(Number.POSITIVE_INFINITY);
      answer();
      gets.ended();
    };
    channel.releaseReplies();
  });
}

function getsOf(channel: Channel): GetQueue {
  channel.gets ??= new GetQueue(
    channel.connection.output,
    channel.vhost.reactor,
    channel.connection,
  );
  return channel.gets;
}

/** The channel closed while the message was fetched: it goes back as if nobody had asked. */
function giveBack(queue: Queue, message: GotMessage | null): void {
  if (message !== null) queue.requeue([message.sequence, message.position, message.bodySize]);
}

function sendGetEmpty(channel: Channel): void {
  channel.write(sizeOfBasicGetEmpty(), (buf, at) => encodeBasicGetEmpty(buf, at, channel.number));
}

/** Lays out the get-ok and its content now, while the record is at hand; it leaves in its turn. */
function prepareGetOk(
  channel: Channel,
  gets: GetQueue,
  queue: Queue,
  message: GotMessage,
  noAck: boolean,
  reply: PendingReply,
): void {
  const { sequence, position, bodySize, area, at } = message;
  const tag = channel.nextDeliveryTag();
  const { buf } = encodeGetOk(channel, message, tag, queue.index.readyCount);
  // Before the ack of a get without one lets the body's file go.
  if (isLargeAt(area.view, at)) {
    const body = channel.vhost.store.largeFiles.read(largeReferenceAt(area.view, at));
    replyWithLarge(channel, gets, buf, body, reply);
  } else {
    gets.heldBytes += buf.length;
    reply.send = () => {
      gets.heldBytes -= buf.length;
      channel.connection.output.write(buf);
    };
  }
  if (noAck) {
    queue.acknowledge(sequence, position, bodySize);
  } else {
    channel.settlements.keepGot(queue, tag, sequence, position, bodySize);
  }
}

/** The get-ok's body comes from its file; until that is with the peer no further get begins. */
function replyWithLarge(
  channel: Channel,
  gets: GetQueue,
  head: Buffer,
  body: LargeBodyReader,
  reply: PendingReply,
): void {
  gets.owesLarge = true;
  const released = () => {
    gets.owesLarge = false;
  };
  reply.send = () => channel.sendLarge(head, body, released);
  reply.discard = () => {
    body.close();
    released();
  };
}

/** Frame header, ids, delivery tag, redelivered; the envelope comes next, then the message count. */
const GET_OK_ENVELOPE_AT = 7 + 4 + 8 + 1;

/** The get-ok with its content; of a large message the body frames are left out. */
function encodeGetOk(
  channel: Channel,
  message: GotMessage,
  tag: number,
  messageCount: number,
): ByteArea {
  const { number } = channel;
  const { frameMax } = channel.connection;
  const { area, at, redelivered } = message;
  const envelopeSize = envelopeSizeAt(area.view, at);
  const propertiesSize = propertiesSizeAt(area.view, at);
  const bodySize = bodySizeAt(area.view, at);
  const methodSize = GET_OK_ENVELOPE_AT + envelopeSize + 4 + 1;
  const isLarge = isLargeAt(area.view, at);
  const contentSize = isLarge
    ? sizeOfContentHeader(propertiesSize)
    : sizeOfContent(propertiesSize, bodySize, frameMax);
  const out = newByteArea(methodSize + contentSize);
  const { buf } = out;
  writeU64(buf, 11, tag);
  buf[19] = redelivered ? 1 : 0;
  const envelopeAt = at + MESSAGE_HEAD_SIZE;
  area.buf.copy(buf, GET_OK_ENVELOPE_AT, envelopeAt, envelopeAt + envelopeSize);
  writeU32(buf, GET_OK_ENVELOPE_AT + envelopeSize, messageCount);
  let p = finishMethodFrame(buf, 0, number, BASIC_GET_OK_ID, methodSize - 1);
  const propertiesAt = envelopeAt + envelopeSize;
  p = writeContentHeader(out, p, number, area, propertiesAt, propertiesSize, bodySize);
  if (!isLarge) writeBody(out, p, number, area, propertiesAt + propertiesSize, bodySize, frameMax);
  return out;
}
