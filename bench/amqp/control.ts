/** The few calls beside the measured traffic: queues and bindings made, counted and deleted. */
import {
  BASIC_CANCEL_OK_ID,
  BASIC_CONSUME_OK_ID,
  BASIC_QOS_OK_ID,
  type BasicCancel,
  CONFIRM_SELECT_OK_ID,
  decodeQueueDeclareOk,
  decodeQueuePurgeOk,
  EMPTY_TABLE,
  encodeBasicCancel,
  encodeBasicConsume,
  encodeBasicQos,
  encodeConfirmSelect,
  encodeQueueBind,
  encodeQueueDeclare,
  encodeQueueDelete,
  encodeQueuePurge,
  encodeQueueUnbind,
  encodeTxCommit,
  encodeTxSelect,
  type FieldTable,
  QUEUE_BIND_OK_ID,
  QUEUE_DECLARE_OK_ID,
  QUEUE_DELETE_OK_ID,
  QUEUE_PURGE_OK_ID,
  QUEUE_UNBIND_OK_ID,
  type QueueDeclare,
  type QueueDeclareOk,
  sizeOfBasicCancel,
  sizeOfBasicConsume,
  sizeOfBasicQos,
  sizeOfConfirmSelect,
  sizeOfQueueBind,
  sizeOfQueueDeclare,
  sizeOfQueueDelete,
  sizeOfQueuePurge,
  sizeOfQueueUnbind,
  sizeOfTxCommit,
  sizeOfTxSelect,
  TX_SELECT_OK_ID,
} from '../../generated/index.ts';
import { type BenchConnection, ignoreReply } from './bench-connection.ts';
import { BENCH_CHANNEL } from './traffic-scanner.ts';

/** Declares a durable queue, or with `passive` only looks at it; returns its number of ready messages. */
export async function declareQueue(
  connection: BenchConnection,
  queue: string,
  passive: boolean,
): Promise<number> {
  return (await declareQueueAs(connection, { queue, passive, durable: true })).messageCount;
}

/** Declares a queue, by default a transient one that outlives its connection; an empty name asks for one. */
export async function declareQueueAs(
  connection: BenchConnection,
  declaration: Partial<QueueDeclare>,
): Promise<QueueDeclareOk> {
  const frame = encodeDeclareQueue(declaration);
  return await connection.call(frame, QUEUE_DECLARE_OK_ID, decodeQueueDeclareOk);
}

/** The frame of a queue.declare as {@link declareQueueAs} sends it. */
export function encodeDeclareQueue(declaration: Partial<QueueDeclare>): Buffer {
  const declare = {
    queue: '',
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    noWait: false,
    arguments: EMPTY_TABLE,
    ...declaration,
  };
  const frame = Buffer.allocUnsafe(sizeOfQueueDeclare(declare));
  encodeQueueDeclare(frame, 0, BENCH_CHANNEL, declare);
  return frame;
}

/** Binds a queue to an exchange other than the default one. */
export async function bindQueue(
  connection: BenchConnection,
  queue: string,
  exchange: string,
  routingKey: string,
): Promise<void> {
  const bind = { queue, exchange, routingKey, noWait: false, arguments: EMPTY_TABLE };
  const frame = Buffer.allocUnsafe(sizeOfQueueBind(bind));
  encodeQueueBind(frame, 0, BENCH_CHANNEL, bind);
  await connection.call(frame, QUEUE_BIND_OK_ID, ignoreReply);
}

/** Takes a binding of {@link bindQueue} away. */
export async function unbindQueue(
  connection: BenchConnection,
  queue: string,
  exchange: string,
  routingKey: string,
): Promise<void> {
  const unbind = { queue, exchange, routingKey, arguments: EMPTY_TABLE };
  const frame = Buffer.allocUnsafe(sizeOfQueueUnbind(unbind));
  encodeQueueUnbind(frame, 0, BENCH_CHANNEL, unbind);
  await connection.call(frame, QUEUE_UNBIND_OK_ID, ignoreReply);
}

/** Deletes a queue with what is in it; deleting one that is not there is no error. */
export async function deleteQueue(connection: BenchConnection, queue: string): Promise<void> {
  const remove = { queue, ifUnused: false, ifEmpty: false, noWait: false };
  const frame = Buffer.allocUnsafe(sizeOfQueueDelete(remove));
  encodeQueueDelete(frame, 0, BENCH_CHANNEL, remove);
  await connection.call(frame, QUEUE_DELETE_OK_ID, ignoreReply);
}

/** Drops the queue's ready messages; returns how many there were. */
export async function purgeQueue(connection: BenchConnection, queue: string): Promise<number> {
  const purge = { queue, noWait: false };
  const frame = Buffer.allocUnsafe(sizeOfQueuePurge(purge));
  encodeQueuePurge(frame, 0, BENCH_CHANNEL, purge);
  const ok = await connection.call(frame, QUEUE_PURGE_OK_ID, decodeQueuePurgeOk);
  return ok.messageCount;
}

/** Asks for confirms on the channel. */
export async function selectConfirms(connection: BenchConnection): Promise<void> {
  const select = { noWait: false };
  const frame = Buffer.allocUnsafe(sizeOfConfirmSelect(select));
  encodeConfirmSelect(frame, 0, BENCH_CHANNEL, select);
  await connection.call(frame, CONFIRM_SELECT_OK_ID, ignoreReply);
}

/** Makes the channel a transactional one. */
export async function selectTransactions(connection: BenchConnection): Promise<void> {
  const frame = Buffer.allocUnsafe(sizeOfTxSelect());
  encodeTxSelect(frame, 0, BENCH_CHANNEL);
  await connection.call(frame, TX_SELECT_OK_ID, ignoreReply);
}

/** The frame of a tx.commit. */
export function encodeCommit(): Buffer {
  const frame = Buffer.allocUnsafe(sizeOfTxCommit());
  encodeTxCommit(frame, 0, BENCH_CHANNEL);
  return frame;
}

/** Limits the unacked deliveries of the channel's next consumer; 0: no limit. */
export async function setPrefetch(
  connection: BenchConnection,
  prefetchCount: number,
): Promise<void> {
  const qos = { prefetchSize: 0, prefetchCount, global: false };
  const frame = Buffer.allocUnsafe(sizeOfBasicQos(qos));
  encodeBasicQos(frame, 0, BENCH_CHANNEL, qos);
  await connection.call(frame, BASIC_QOS_OK_ID, ignoreReply);
}

/** Starts a consumer. Its tag is to be short, as it comes back in every delivery. */
export async function startConsumer(
  connection: BenchConnection,
  queue: string,
  noAck: boolean,
  consumerTag = 'c',
  consumeArguments: FieldTable = EMPTY_TABLE,
  channel: number = BENCH_CHANNEL,
): Promise<void> {
  const consume = {
    queue,
    consumerTag,
    noLocal: false,
    noAck,
    exclusive: false,
    noWait: false,
    arguments: consumeArguments,
  };
  const frame = Buffer.allocUnsafe(sizeOfBasicConsume(consume));
  encodeBasicConsume(frame, 0, channel, consume);
  await connection.call(frame, BASIC_CONSUME_OK_ID, ignoreReply);
}

/** Ends a consumer; what was delivered to it stays unacked. When it resolves, its last delivery has come. */
export async function cancelConsumer(
  connection: BenchConnection,
  consumerTag = 'c',
): Promise<void> {
  const frame = encodeCancel({ consumerTag, noWait: false });
  await connection.call(frame, BASIC_CANCEL_OK_ID, ignoreReply);
}

/** Ends a consumer that is to get no answer. */
export function cancelConsumerWithoutWait(connection: BenchConnection, consumerTag: string): void {
  connection.write(encodeCancel({ consumerTag, noWait: true }));
}

function encodeCancel(cancel: BasicCancel): Buffer {
  const frame = Buffer.allocUnsafe(sizeOfBasicCancel(cancel));
  encodeBasicCancel(frame, 0, BENCH_CHANNEL, cancel);
  return frame;
}
