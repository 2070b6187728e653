/**
 * Gives recovered messages their queues back: applies the definition frames that storage found, in order, and
 * hangs each recovered index under the queue that its number belongs to. The log hears nothing of it.
 *
 * Messages whose queue no definition explains are kept in a durable queue `firn.lost.NUMBER`.
 */
import {
  ByteReader,
  decodeExchangeBind,
  decodeExchangeDeclare,
  decodeExchangeDelete,
  decodeExchangeUnbind,
  decodeQueueBind,
  decodeQueueDeclare,
  decodeQueueDelete,
  decodeQueueUnbind,
  EMPTY_TABLE,
  EXCHANGE_BIND_ID,
  EXCHANGE_DECLARE_ID,
  EXCHANGE_DELETE_ID,
  EXCHANGE_UNBIND_ID,
  FRAME_HEADER_SIZE,
  QUEUE_BIND_ID,
  QUEUE_DECLARE_ID,
  QUEUE_DELETE_ID,
  QUEUE_UNBIND_ID,
} from '../../generated/index.ts';
import type { Definition } from '../storage/definitions-format.ts';
import type { QueueIndex } from '../storage/queue-index.ts';
import { DEFINITION_ACTIONS } from '../storage/record-format.ts';
import type { Recovered } from '../storage/recovery.ts';
import type { BindingRequest } from './binding.ts';
import { queueFrame } from './definition-frames.ts';
import {
  endsOf,
  findBinding,
  forgetExchange,
  link,
  part,
  partExchange,
  unlink,
} from './topology.ts';
import type { Vhost } from './vhost.ts';

/** Names of the queues that hold messages without a definition. */
const LOST_PREFIX = 'firn.lost.';
/** A recovered definition is durable: any position counts. */
const LONG_AGO = 0;

/** Fills an empty vhost; returns sentences about what could not be used. */
export function restoreVhost(vhost: Vhost, recovered: Recovered): readonly string[] {
  const problems: string[] = [];
  for (const definition of recovered.definitions) {
    try {
      applyDefinition(vhost, recovered, definition);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push(`a definition is skipped: ${reason}`);
    }
  }
  const known = new Set(vhost.durableIndexes());
  for (const index of recovered.queues.values()) {
    if (known.has(index) || index.readyCount === 0) continue;
    const name = adoptLostMessages(vhost, index);
    problems.push(
      `queue number ${index.number} has no definition: its messages are kept in ${name}`,
    );
  }
  return problems;
}

function adoptLostMessages(vhost: Vhost, index: QueueIndex): string {
  const name = `${LOST_PREFIX}${index.number}`;
  const declaration = {
    name,
    durable: true,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  const queue = vhost.addQueue(declaration, null, index);
  queue.definedAt = vhost.store.define(DEFINITION_ACTIONS.declare, index.number, queueFrame(queue));
  return name;
}

function applyDefinition(vhost: Vhost, recovered: Recovered, { queue, frame }: Definition): void {
  const id = frame.readUInt32BE(FRAME_HEADER_SIZE);
  const reader = new ByteReader(frame, FRAME_HEADER_SIZE + 4, frame.length - 1);
  switch (id) {
    case EXCHANGE_DECLARE_ID: {
      const { exchange: name, arguments: args, ...method } = decodeExchangeDeclare(reader);
      if (!vhost.exchanges.has(name)) {
        vhost.addExchange({ ...method, name, args }).definedAt = LONG_AGO;
      }
      return;
    }
    case EXCHANGE_DELETE_ID:
      forgetExchangeNamed(vhost, decodeExchangeDelete(reader).exchange);
      return;
    case QUEUE_DECLARE_ID: {
      const { queue: name, arguments: args, ...method } = decodeQueueDeclare(reader);
      const index = recovered.queues.get(queue) ?? null;
      vhost.enterQueue(queue, index, { ...method, name, args }, null).definedAt = LONG_AGO;
      return;
    }
    case QUEUE_DELETE_ID:
      forgetQueueNamed(vhost, decodeQueueDelete(reader).queue);
      return;
    case QUEUE_BIND_ID:
    case QUEUE_UNBIND_ID:
    case EXCHANGE_BIND_ID:
    case EXCHANGE_UNBIND_ID:
      applyBinding(vhost, id, reader);
      return;
    default:
      throw new Error(`method ${id} defines nothing`);
  }
}

function applyBinding(vhost: Vhost, id: number, reader: ByteReader): void {
  const isQueue = id === QUEUE_BIND_ID || id === QUEUE_UNBIND_ID;
  const request = isQueue ? queueBinding(id, reader) : exchangeBinding(id, reader);
  if (id === QUEUE_BIND_ID || id === EXCHANGE_BIND_ID) link(vhost, request).definedAt = LONG_AGO;
  else forgetBinding(vhost, request);
}

function queueBinding(id: number, reader: ByteReader): BindingRequest {
  const method = id === QUEUE_BIND_ID ? decodeQueueBind(reader) : decodeQueueUnbind(reader);
  return {
    source: method.exchange,
    kind: 'queue',
    destination: method.queue,
    bindingKey: method.routingKey,
    args: method.arguments,
  };
}

function exchangeBinding(id: number, reader: ByteReader): BindingRequest {
  const method =
    id === EXCHANGE_BIND_ID ? decodeExchangeBind(reader) : decodeExchangeUnbind(reader);
  return {
    source: method.source,
    kind: 'exchange',
    destination: method.destination,
    bindingKey: method.routingKey,
    args: method.arguments,
  };
}

function forgetBinding(vhost: Vhost, request: BindingRequest): void {
  const ends = endsOf(vhost, request);
  const binding = ends === null ? null : findBinding(ends, request);
  if (binding !== null) unlink(vhost, binding);
}

function forgetExchangeNamed(vhost: Vhost, name: string): void {
  const exchange = vhost.exchanges.get(name);
  if (exchange === undefined) return;
  forgetExchange(vhost, exchange);
  partExchange(vhost, exchange);
}

function forgetQueueNamed(vhost: Vhost, name: string): void {
  const queue = vhost.queues.get(name);
  if (queue === undefined) return;
  queue.isDeleted = true;
  vhost.queues.delete(name);
  part(vhost, queue);
}
