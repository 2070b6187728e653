/** Exchanges and bindings for rows that route, and queues by the thousand. */
import {
  EMPTY_TABLE,
  EXCHANGE_DECLARE_OK_ID,
  EXCHANGE_DELETE_OK_ID,
  encodeExchangeDeclare,
  encodeExchangeDelete,
  encodeQueueBind,
  encodeQueueDeclare,
  encodeQueueUnbind,
  type FieldTable,
  QUEUE_BIND_OK_ID,
  QUEUE_UNBIND_OK_ID,
  sizeOfExchangeDeclare,
  sizeOfExchangeDelete,
  sizeOfQueueBind,
  sizeOfQueueDeclare,
  sizeOfQueueUnbind,
} from '../../generated/index.ts';
import { type BenchConnection, ignoreReply } from '../amqp/bench-connection.ts';
import { declareQueue } from '../amqp/control.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';

/** Declares that are on their way before an answer is waited for. */
const DECLARES_AT_ONCE = 1000;

/** A kind of exchange that every broker has. */
export type ExchangeType = 'fanout' | 'topic' | 'headers';

/** What ties a queue to an exchange. */
export interface Binding {
  readonly queue: string;
  readonly routingKey: string;
  readonly arguments?: FieldTable;
}

/** Declares a durable exchange. */
export async function declareExchange(
  connection: BenchConnection,
  exchange: string,
  type: ExchangeType,
): Promise<void> {
  const declare = {
    ...{ exchange, type, passive: false, durable: true, autoDelete: false, internal: false },
    ...{ noWait: false, arguments: EMPTY_TABLE },
  };
  const frame = Buffer.allocUnsafe(sizeOfExchangeDeclare(declare));
  encodeExchangeDeclare(frame, 0, BENCH_CHANNEL, declare);
  await connection.call(frame, EXCHANGE_DECLARE_OK_ID, ignoreReply);
}

/** Deletes an exchange with its bindings. */
export async function deleteExchange(connection: BenchConnection, exchange: string): Promise<void> {
  const remove = { exchange, ifUnused: false, noWait: false };
  const frame = Buffer.allocUnsafe(sizeOfExchangeDelete(remove));
  encodeExchangeDelete(frame, 0, BENCH_CHANNEL, remove);
  await connection.call(frame, EXCHANGE_DELETE_OK_ID, ignoreReply);
}

/** Binds, and waits for the last binding alone. */
export async function bindAll(
  connection: BenchConnection,
  exchange: string,
  bindings: readonly Binding[],
): Promise<void> {
  const frames = bindings.map((binding, i) => {
    const bind = {
      ...{ exchange, arguments: EMPTY_TABLE, ...binding },
      noWait: i < bindings.length - 1,
    };
    const frame = Buffer.allocUnsafe(sizeOfQueueBind(bind));
    encodeQueueBind(frame, 0, BENCH_CHANNEL, bind);
    return frame;
  });
  await connection.call(Buffer.concat(frames), QUEUE_BIND_OK_ID, ignoreReply);
}

/** Unbinds, and waits for the answer. */
export async function unbindQueue(
  connection: BenchConnection,
  exchange: string,
  { queue, routingKey }: Binding,
): Promise<void> {
  const unbind = { queue, exchange, routingKey, arguments: EMPTY_TABLE };
  const frame = Buffer.allocUnsafe(sizeOfQueueUnbind(unbind));
  encodeQueueUnbind(frame, 0, BENCH_CHANNEL, unbind);
  await connection.call(frame, QUEUE_UNBIND_OK_ID, ignoreReply);
}

/**
 * Declares queues, a thousand on their way at a time, until all are there or the time is over; how many are there.
 *
 * @param deadlineMs as performance.now() counts
 */
export async function declareQueues(
  connection: BenchConnection,
  names: readonly string[],
  durable: boolean,
  deadlineMs: number,
): Promise<number> {
  let declared = 0;
  while (declared < names.length && performance.now() < deadlineMs) {
    const part = names.slice(declared, declared + DECLARES_AT_ONCE);
    connection.write(Buffer.concat(part.map((queue) => encodeDeclare(queue, durable))));
    // The answer comes behind everything before it.
    await declareQueue(connection, part.at(-1) ?? '', true);
    declared += part.length;
  }
  return declared;
}

function encodeDeclare(queue: string, durable: boolean): Buffer {
  const declare = {
    ...{ queue, durable, passive: false, exclusive: false, autoDelete: false },
    ...{ noWait: true, arguments: EMPTY_TABLE },
  };
  const frame = Buffer.allocUnsafe(sizeOfQueueDeclare(declare));
  encodeQueueDeclare(frame, 0, BENCH_CHANNEL, declare);
  return frame;
}
