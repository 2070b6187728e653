/**
 * Durable definitions as AMQP method frames: what the definitions log and `definitions.amqp` hold. Channel 0,
 * no-wait set, since nobody answers them.
 */
import {
  type ExchangeDelete,
  encodeExchangeBind,
  encodeExchangeDeclare,
  encodeExchangeDelete,
  encodeExchangeUnbind,
  encodeQueueBind,
  encodeQueueDeclare,
  encodeQueueDelete,
  encodeQueueUnbind,
  type QueueDelete,
  sizeOfExchangeBind,
  sizeOfExchangeDeclare,
  sizeOfExchangeDelete,
  sizeOfExchangeUnbind,
  sizeOfQueueBind,
  sizeOfQueueDeclare,
  sizeOfQueueDelete,
  sizeOfQueueUnbind,
} from '../../generated/index.ts';
import type { Binding } from './binding.ts';
import type { Exchange } from './exchange.ts';
import type { Queue } from './queue.ts';

type Encoder<M> = (buf: Buffer, at: number, channel: number, m: M) => number;

function frameOf<M>(method: M, size: number, encode: Encoder<M>): Buffer {
  const frame = Buffer.alloc(size);
  encode(frame, 0, 0, method);
  return frame;
}

/** exchange.declare */
export function exchangeFrame(exchange: Exchange): Buffer {
  const { name, type, durable, autoDelete, internal, args } = exchange;
  const method = {
    exchange: name,
    type,
    passive: false,
    durable,
    autoDelete,
    internal,
    noWait: true,
    arguments: args,
  };
  return frameOf(method, sizeOfExchangeDeclare(method), encodeExchangeDeclare);
}

/** exchange.delete */
export function exchangeDeleteFrame(name: string): Buffer {
  const method: ExchangeDelete = { exchange: name, ifUnused: false, noWait: true };
  return frameOf(method, sizeOfExchangeDelete(method), encodeExchangeDelete);
}

/** queue.declare */
export function queueFrame(queue: Queue): Buffer {
  const { name, durable, autoDelete, args } = queue;
  const method = {
    queue: name,
    passive: false,
    durable,
    exclusive: false,
    autoDelete,
    noWait: true,
    arguments: args,
  };
  return frameOf(method, sizeOfQueueDeclare(method), encodeQueueDeclare);
}

/** queue.delete */
export function queueDeleteFrame(name: string): Buffer {
  const method: QueueDelete = { queue: name, ifUnused: false, ifEmpty: false, noWait: true };
  return frameOf(method, sizeOfQueueDelete(method), encodeQueueDelete);
}

/** queue.bind or exchange.bind */
export function bindingFrame(binding: Binding): Buffer {
  const { source, destination, bindingKey, args } = binding;
  const common = { routingKey: bindingKey, noWait: true, arguments: args };
  if (destination.kind === 'queue') {
    const method = { queue: destination.name, exchange: source.name, ...common };
    return frameOf(method, sizeOfQueueBind(method), encodeQueueBind);
  }
  const method = { destination: destination.name, source: source.name, ...common };
  return frameOf(method, sizeOfExchangeBind(method), encodeExchangeBind);
}

/** queue.unbind or exchange.unbind */
export function unbindingFrame(binding: Binding): Buffer {
  const { source, destination, bindingKey, args } = binding;
  const common = { routingKey: bindingKey, arguments: args };
  if (destination.kind === 'queue') {
    const method = { queue: destination.name, exchange: source.name, ...common };
    return frameOf(method, sizeOfQueueUnbind(method), encodeQueueUnbind);
  }
  const method = { destination: destination.name, source: source.name, noWait: true, ...common };
  return frameOf(method, sizeOfExchangeUnbind(method), encodeExchangeUnbind);
}
