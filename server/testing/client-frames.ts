/**
 * The bytes that a client sends, as frames: `queueDeclare(1, { queue: 'q', durable: true })`. What is not given
 * has the default of most clients.
 */
import * as amqp from '../../generated/index.ts';

type Encode<M> = (buf: Buffer, at: number, channel: number, args: M) => number;

function frame<M>(sizeOf: (args: M) => number, encode: Encode<M>, channel: number, args: M) {
  const buf = Buffer.alloc(sizeOf(args));
  encode(buf, 0, channel, args);
  return buf;
}

const GOODBYE = { replyCode: 200, replyText: 'done', classId: 0, methodId: 0 };
const NO_ARGUMENTS = { arguments: amqp.EMPTY_TABLE };

export function connectionStartOk(args: Partial<amqp.ConnectionStartOk> = {}): Buffer {
  return frame(amqp.sizeOfConnectionStartOk, amqp.encodeConnectionStartOk, 0, {
    clientProperties: amqp.toFieldTable({ capabilities: { consumer_cancel_notify: true } }),
    mechanism: 'PLAIN',
    response: amqp.encodePlain('guest', 'guest'),
    locale: 'en_US',
    ...args,
  });
}

export function connectionTuneOk(args: Partial<amqp.ConnectionTuneOk> = {}): Buffer {
  return frame(amqp.sizeOfConnectionTuneOk, amqp.encodeConnectionTuneOk, 0, {
    channelMax: 2047,
    frameMax: 131_072,
    heartbeat: 0,
    ...args,
  });
}

export function connectionOpen(virtualHost = '/'): Buffer {
  return frame(amqp.sizeOfConnectionOpen, amqp.encodeConnectionOpen, 0, { virtualHost });
}

export function connectionClose(): Buffer {
  return frame(amqp.sizeOfConnectionClose, amqp.encodeConnectionClose, 0, GOODBYE);
}

export function connectionCloseOk(): Buffer {
  return frame(amqp.sizeOfConnectionCloseOk, amqp.encodeConnectionCloseOk, 0, {});
}

export function connectionUpdateSecret(newSecret: string): Buffer {
  const args = { newSecret: Buffer.from(newSecret), reason: 'renewed' };
  return frame(amqp.sizeOfConnectionUpdateSecret, amqp.encodeConnectionUpdateSecret, 0, args);
}

export function channelOpen(channel: number): Buffer {
  return frame(amqp.sizeOfChannelOpen, amqp.encodeChannelOpen, channel, {});
}

/** Asks for deliveries, which flow anyway: a question that the server always answers. */
export function channelFlow(channel: number): Buffer {
  return frame(amqp.sizeOfChannelFlow, amqp.encodeChannelFlow, channel, { active: true });
}

export function channelClose(channel: number): Buffer {
  return frame(amqp.sizeOfChannelClose, amqp.encodeChannelClose, channel, GOODBYE);
}

export function channelCloseOk(channel: number): Buffer {
  return frame(amqp.sizeOfChannelCloseOk, amqp.encodeChannelCloseOk, channel, {});
}

export function confirmSelect(channel: number): Buffer {
  return frame(amqp.sizeOfConfirmSelect, amqp.encodeConfirmSelect, channel, { noWait: false });
}

export function txSelect(channel: number): Buffer {
  return frame(amqp.sizeOfTxSelect, amqp.encodeTxSelect, channel, {});
}

export function txCommit(channel: number): Buffer {
  return frame(amqp.sizeOfTxCommit, amqp.encodeTxCommit, channel, {});
}

export function txRollback(channel: number): Buffer {
  return frame(amqp.sizeOfTxRollback, amqp.encodeTxRollback, channel, {});
}

export function exchangeDeclare(channel: number, args: Partial<amqp.ExchangeDeclare>): Buffer {
  return frame(amqp.sizeOfExchangeDeclare, amqp.encodeExchangeDeclare, channel, {
    exchange: '',
    type: 'direct',
    passive: false,
    durable: false,
    autoDelete: false,
    internal: false,
    noWait: false,
    ...NO_ARGUMENTS,
    ...args,
  });
}

export function exchangeDelete(channel: number, exchange: string): Buffer {
  const args = { exchange, ifUnused: false, noWait: false };
  return frame(amqp.sizeOfExchangeDelete, amqp.encodeExchangeDelete, channel, args);
}

export function queueDeclare(channel: number, args: Partial<amqp.QueueDeclare> = {}): Buffer {
  return frame(amqp.sizeOfQueueDeclare, amqp.encodeQueueDeclare, channel, {
    queue: '',
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    noWait: false,
    ...NO_ARGUMENTS,
    ...args,
  });
}

export function queueBind(channel: number, args: Partial<amqp.QueueBind>): Buffer {
  return frame(amqp.sizeOfQueueBind, amqp.encodeQueueBind, channel, {
    queue: '',
    exchange: '',
    routingKey: '',
    noWait: false,
    ...NO_ARGUMENTS,
    ...args,
  });
}

export function queueUnbind(channel: number, args: Partial<amqp.QueueUnbind>): Buffer {
  return frame(amqp.sizeOfQueueUnbind, amqp.encodeQueueUnbind, channel, {
    queue: '',
    exchange: '',
    routingKey: '',
    ...NO_ARGUMENTS,
    ...args,
  });
}

export function queuePurge(channel: number, queue: string): Buffer {
  const args = { queue, noWait: false };
  return frame(amqp.sizeOfQueuePurge, amqp.encodeQueuePurge, channel, args);
}

export function queueDelete(channel: number, queue: string): Buffer {
  const args = { queue, ifUnused: false, ifEmpty: false, noWait: false };
  return frame(amqp.sizeOfQueueDelete, amqp.encodeQueueDelete, channel, args);
}

export function basicQos(channel: number, prefetchCount: number, global = false): Buffer {
  const args = { prefetchSize: 0, prefetchCount, global };
  return frame(amqp.sizeOfBasicQos, amqp.encodeBasicQos, channel, args);
}

export function basicConsume(channel: number, args: Partial<amqp.BasicConsume> = {}): Buffer {
  return frame(amqp.sizeOfBasicConsume, amqp.encodeBasicConsume, channel, {
    queue: '',
    consumerTag: '',
    noLocal: false,
    noAck: false,
    exclusive: false,
    noWait: false,
    ...NO_ARGUMENTS,
    ...args,
  });
}

export function basicCancel(channel: number, consumerTag: string): Buffer {
  const args = { consumerTag, noWait: false };
  return frame(amqp.sizeOfBasicCancel, amqp.encodeBasicCancel, channel, args);
}

export function basicRecover(channel: number): Buffer {
  return frame(amqp.sizeOfBasicRecover, amqp.encodeBasicRecover, channel, { requeue: true });
}

export function basicGet(channel: number, queue = '', noAck = false): Buffer {
  return frame(amqp.sizeOfBasicGet, amqp.encodeBasicGet, channel, { queue, noAck });
}

export function basicAck(channel: number, deliveryTag: number, multiple = false): Buffer {
  return frame(amqp.sizeOfBasicAck, amqp.encodeBasicAck, channel, { deliveryTag, multiple });
}

export function basicNack(channel: number, args: Partial<amqp.BasicNack>): Buffer {
  return frame(amqp.sizeOfBasicNack, amqp.encodeBasicNack, channel, {
    deliveryTag: 0,
    multiple: false,
    requeue: true,
    ...args,
  });
}

export function basicReject(channel: number, deliveryTag: number, requeue: boolean): Buffer {
  const args = { deliveryTag, requeue };
  return frame(amqp.sizeOfBasicReject, amqp.encodeBasicReject, channel, args);
}

/** The method frame of basic.publish alone. */
export function publishMethod(channel: number, args: Partial<amqp.BasicPublish>): Buffer {
  return frame(amqp.sizeOfBasicPublish, amqp.encodeBasicPublish, channel, {
    exchange: '',
    routingKey: '',
    mandatory: false,
    immediate: false,
    ...args,
  });
}

/** A frame with any payload, well-formed or not. */
export function anyFrame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(amqp.FRAME_HEADER_SIZE);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([amqp.FRAME_END])]);
}

/** A content header of class basic; `properties` are flags and values. */
export function contentHeader(
  channel: number,
  bodySize: number,
  properties: Buffer = Buffer.from([0, 0]),
): Buffer {
  const fixed = Buffer.alloc(amqp.CONTENT_HEADER_FIXED_SIZE);
  fixed.writeUInt16BE(amqp.BASIC_CLASS_ID, 0);
  fixed.writeBigUInt64BE(BigInt(bodySize), 4);
  return anyFrame(amqp.FRAME_HEADER, channel, Buffer.concat([fixed, properties]));
}

/** The body frames of a message, each of at most `frameMax` octets. */
export function bodyFrames(channel: number, body: Buffer, frameMax = 131_072): Buffer {
  const frames: Buffer[] = [];
  const step = frameMax - amqp.FRAME_OVERHEAD;
  for (let at = 0; at < body.length; at += step) {
    frames.push(anyFrame(amqp.FRAME_BODY, channel, body.subarray(at, at + step)));
  }
  return Buffer.concat(frames);
}

/** Properties as they stand in a content header: flags and values. */
export function propertyBytes(properties: amqp.BasicProperties): Buffer {
  const bytes = Buffer.alloc(amqp.sizeOfBasicProperties(properties));
  amqp.encodeBasicProperties(bytes, 0, properties);
  return bytes;
}

/** Method, header and body of a message with properties. */
export function publishWith(
  channel: number,
  args: Partial<amqp.BasicPublish>,
  properties: amqp.BasicProperties,
  body: string | Buffer = '',
): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    publishMethod(channel, args),
    contentHeader(channel, bytes.length, propertyBytes(properties)),
    bodyFrames(channel, bytes),
  ]);
}

/** Method, header and body of a message for a queue. */
export function publish(channel: number, queue: string, body: string | Buffer = ''): Buffer {
  return publishTo(channel, { routingKey: queue }, body);
}

/** Method, header and body of a message. */
export function publishTo(
  channel: number,
  args: Partial<amqp.BasicPublish>,
  body: string | Buffer = '',
): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    publishMethod(channel, args),
    contentHeader(channel, bytes.length),
    bodyFrames(channel, bytes),
  ]);
}
