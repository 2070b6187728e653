/**
 * The methods that raw scenarios send, by name, with the arguments that they rarely care about:
 * `raw.send(1, 'queue.declare', { queue })`.
 */
import * as amqp from '../../generated/index.ts';

/** The arguments of a method, by its name. */
export type ArgumentsOf<N extends amqp.AnyMethod['name']> = Extract<
  amqp.AnyMethod,
  { name: N }
>['args'];

/** How a method is put on the wire. */
interface Sendable<M> {
  readonly sizeOf: (args: M) => number;
  readonly encode: (buf: Buffer, at: number, channel: number, args: M) => number;
  readonly defaults: M;
}

/** Methods that scenarios send. */
export type SendableName =
  | 'connection.start-ok'
  | 'connection.tune-ok'
  | 'connection.open'
  | 'connection.close'
  | 'connection.close-ok'
  | 'connection.update-secret'
  | 'channel.open'
  | 'channel.flow'
  | 'channel.close'
  | 'channel.close-ok'
  | 'access.request'
  | 'exchange.declare'
  | 'exchange.delete'
  | 'exchange.bind'
  | 'exchange.unbind'
  | 'queue.declare'
  | 'queue.bind'
  | 'queue.purge'
  | 'queue.delete'
  | 'queue.unbind'
  | 'basic.qos'
  | 'basic.consume'
  | 'basic.cancel'
  | 'basic.cancel-ok'
  | 'basic.publish'
  | 'basic.get'
  | 'basic.ack'
  | 'basic.nack'
  | 'basic.reject'
  | 'basic.recover'
  | 'basic.recover-async'
  | 'confirm.select'
  | 'tx.select'
  | 'tx.commit'
  | 'tx.rollback';

const NO_ARGUMENTS = amqp.EMPTY_TABLE;
const GOODBYE = { replyCode: 200, replyText: 'done', classId: 0, methodId: 0 };

const SENDABLE: { readonly [N in SendableName]: Sendable<ArgumentsOf<N>> } = {
  'connection.start-ok': {
    sizeOf: amqp.sizeOfConnectionStartOk,
    encode: amqp.encodeConnectionStartOk,
    defaults: {
      clientProperties: NO_ARGUMENTS,
      mechanism: 'PLAIN',
      response: Buffer.alloc(0),
      locale: 'en_US',
    },
  },
  'connection.tune-ok': {
    sizeOf: amqp.sizeOfConnectionTuneOk,
    encode: amqp.encodeConnectionTuneOk,
    defaults: { channelMax: 2047, frameMax: 131_072, heartbeat: 0 },
  },
  'connection.open': {
    sizeOf: amqp.sizeOfConnectionOpen,
    encode: amqp.encodeConnectionOpen,
    defaults: { virtualHost: '/' },
  },
  'connection.close': {
    sizeOf: amqp.sizeOfConnectionClose,
    encode: amqp.encodeConnectionClose,
    defaults: GOODBYE,
  },
  'connection.close-ok': {
    sizeOf: amqp.sizeOfConnectionCloseOk,
    encode: amqp.encodeConnectionCloseOk,
    defaults: {},
  },
  'connection.update-secret': {
    sizeOf: amqp.sizeOfConnectionUpdateSecret,
    encode: amqp.encodeConnectionUpdateSecret,
    defaults: { newSecret: Buffer.alloc(0), reason: '' },
  },
  'channel.open': {
    sizeOf: amqp.sizeOfChannelOpen,
    encode: amqp.encodeChannelOpen,
    defaults: {},
  },
  'channel.flow': {
    sizeOf: amqp.sizeOfChannelFlow,
    encode: amqp.encodeChannelFlow,
    defaults: { active: true },
  },
  'channel.close': {
    sizeOf: amqp.sizeOfChannelClose,
    encode: amqp.encodeChannelClose,
    defaults: GOODBYE,
  },
  'channel.close-ok': {
    sizeOf: amqp.sizeOfChannelCloseOk,
    encode: amqp.encodeChannelCloseOk,
    defaults: {},
  },
  'access.request': {
    sizeOf: amqp.sizeOfAccessRequest,
    encode: amqp.encodeAccessRequest,
    defaults: {
      realm: '/data',
      exclusive: false,
      passive: true,
      active: true,
      write: true,
      read: true,
    },
  },
  'exchange.declare': {
    sizeOf: amqp.sizeOfExchangeDeclare,
    encode: amqp.encodeExchangeDeclare,
    defaults: {
      exchange: '',
      type: 'direct',
      passive: false,
      durable: false,
      autoDelete: false,
      internal: false,
      noWait: false,
      arguments: NO_ARGUMENTS,
    },
  },
  'exchange.delete': {
    sizeOf: amqp.sizeOfExchangeDelete,
    encode: amqp.encodeExchangeDelete,
    defaults: { exchange: '', ifUnused: false, noWait: false },
  },
  'exchange.bind': {
    sizeOf: amqp.sizeOfExchangeBind,
    encode: amqp.encodeExchangeBind,
    defaults: {
      destination: '',
      source: '',
      routingKey: '',
      noWait: false,
      arguments: NO_ARGUMENTS,
    },
  },
  'exchange.unbind': {
    sizeOf: amqp.sizeOfExchangeUnbind,
    encode: amqp.encodeExchangeUnbind,
    defaults: {
      destination: '',
      source: '',
      routingKey: '',
      noWait: false,
      arguments: NO_ARGUMENTS,
    },
  },
  'queue.declare': {
    sizeOf: amqp.sizeOfQueueDeclare,
    encode: amqp.encodeQueueDeclare,
    defaults: {
      queue: '',
      passive: false,
      durable: false,
      exclusive: false,
      autoDelete: false,
      noWait: false,
      arguments: NO_ARGUMENTS,
    },
  },
  'queue.bind': {
    sizeOf: amqp.sizeOfQueueBind,
    encode: amqp.encodeQueueBind,
    defaults: { queue: '', exchange: '', routingKey: '', noWait: false, arguments: NO_ARGUMENTS },
  },
  'queue.purge': {
    sizeOf: amqp.sizeOfQueuePurge,
    encode: amqp.encodeQueuePurge,
    defaults: { queue: '', noWait: false },
  },
  'queue.delete': {
    sizeOf: amqp.sizeOfQueueDelete,
    encode: amqp.encodeQueueDelete,
    defaults: { queue: '', ifUnused: false, ifEmpty: false, noWait: false },
  },
  'queue.unbind': {
    sizeOf: amqp.sizeOfQueueUnbind,
    encode: amqp.encodeQueueUnbind,
    defaults: { queue: '', exchange: '', routingKey: '', arguments: NO_ARGUMENTS },
  },
  'basic.qos': {
    sizeOf: amqp.sizeOfBasicQos,
    encode: amqp.encodeBasicQos,
    defaults: { prefetchSize: 0, prefetchCount: 0, global: false },
  },
  'basic.consume': {
    sizeOf: amqp.sizeOfBasicConsume,
    encode: amqp.encodeBasicConsume,
    defaults: {
      queue: '',
      consumerTag: '',
      noLocal: false,
      noAck: false,
      exclusive: false,
      noWait: false,
      arguments: NO_ARGUMENTS,
    },
  },
  'basic.cancel': {
    sizeOf: amqp.sizeOfBasicCancel,
    encode: amqp.encodeBasicCancel,
    defaults: { consumerTag: '', noWait: false },
  },
  'basic.cancel-ok': {
    sizeOf: amqp.sizeOfBasicCancelOk,
    encode: amqp.encodeBasicCancelOk,
    defaults: { consumerTag: '' },
  },
  'basic.publish': {
    sizeOf: amqp.sizeOfBasicPublish,
    encode: amqp.encodeBasicPublish,
    defaults: { exchange: '', routingKey: '', mandatory: false, immediate: false },
  },
  'basic.get': {
    sizeOf: amqp.sizeOfBasicGet,
    encode: amqp.encodeBasicGet,
    defaults: { queue: '', noAck: false },
  },
  'basic.ack': {
    sizeOf: amqp.sizeOfBasicAck,
    encode: amqp.encodeBasicAck,
    defaults: { deliveryTag: 0, multiple: false },
  },
  'basic.nack': {
    sizeOf: amqp.sizeOfBasicNack,
    encode: amqp.encodeBasicNack,
    defaults: { deliveryTag: 0, multiple: false, requeue: true },
  },
  'basic.reject': {
    sizeOf: amqp.sizeOfBasicReject,
    encode: amqp.encodeBasicReject,
    defaults: { deliveryTag: 0, requeue: true },
  },
  'basic.recover': {
    sizeOf: amqp.sizeOfBasicRecover,
    encode: amqp.encodeBasicRecover,
    defaults: { requeue: true },
  },
  'basic.recover-async': {
    sizeOf: amqp.sizeOfBasicRecoverAsync,
    encode: amqp.encodeBasicRecoverAsync,
    defaults: { requeue: true },
  },
  'confirm.select': {
    sizeOf: amqp.sizeOfConfirmSelect,
    encode: amqp.encodeConfirmSelect,
    defaults: { noWait: false },
  },
  'tx.select': { sizeOf: amqp.sizeOfTxSelect, encode: amqp.encodeTxSelect, defaults: {} },
  'tx.commit': { sizeOf: amqp.sizeOfTxCommit, encode: amqp.encodeTxCommit, defaults: {} },
  'tx.rollback': { sizeOf: amqp.sizeOfTxRollback, encode: amqp.encodeTxRollback, defaults: {} },
};

/** The complete frame of a method; arguments not given have the defaults above. */
export function methodFrame<N extends SendableName>(
  name: N,
  channel: number,
  args: Partial<ArgumentsOf<N>>,
): Buffer {
  const { sizeOf, encode, defaults }: Sendable<ArgumentsOf<N>> = SENDABLE[name];
  // The compiler does not see that a type overlaid with a part of itself is that type.
  const all = { ...defaults, ...args } as ArgumentsOf<N>;
  const buf = Buffer.alloc(sizeOf(all));
  encode(buf, 0, channel, all);
  return buf;
}

/** The method in the payload of a method frame; null when there is no such method. */
export function readMethod(payload: Buffer): amqp.AnyMethod | null {
  const reader = new amqp.ByteReader(payload, 4, payload.length);
  return amqp.decodeMethod(payload.readUInt32BE(0), reader);
}
