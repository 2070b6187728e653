/** Exchanges and bindings for rows that route. */
import {
  EMPTY_TABLE,
  EXCHANGE_DECLARE_OK_ID,
  EXCHANGE_DELETE_OK_ID,
  encodeExchangeDeclare,
  encodeExchangeDelete,
  encodeQueueBind,
  type FieldTable,
  QUEUE_BIND_OK_ID,
  sizeOfExchangeDeclare,
  sizeOfExchangeDelete,
  sizeOfQueueBind,
} from '../../generated/index.ts';
import { type BenchConnection, ignoreReply } from '../amqp/bench-connection.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';

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
