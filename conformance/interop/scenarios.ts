/**
 * What the clients are taken through: the rows of the table of scenario and client. A session is told the
 * names of those that it shall run; what each asks for is written once per language, in `clients/`.
 */

export type ProtocolScenarioName =
  | 'declare'
  | 'confirm'
  | 'consume'
  | 'settle'
  | 'get'
  | 'return'
  | 'rpc'
  | 'direct-reply-to'
  | 'large'
  | 'unicode'
  | 'headers'
  | 'properties'
  | 'heartbeat'
  | 'tx'
  | 'exchange-binding'
  | 'recover'
  | 'cancel'
  | 'restart-sigterm'
  | 'restart-sigkill'
  | 'restart-consumer';

export type CeleryScenarioName = 'task' | 'retry' | 'countdown' | 'control' | 'shutdown';

/** `amqps` stands for several scenarios, which a session is told to run over TLS. */
export type ScenarioName = ProtocolScenarioName | 'amqps' | CeleryScenarioName;

export interface Scenario {
  readonly name: ScenarioName;
  /** What must hold for the scenario to pass, as the end of a sentence. */
  readonly holds: string;
}

/** Through every client of the protocol. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'declare',
    holds:
      'durable, exclusive, server-named and passive declares answer; 404, 405 and 406 refuse what they must',
  },
  { name: 'confirm', holds: 'every publish of a burst is confirmed, and all messages are there' },
  { name: 'consume', holds: 'a prefetch is kept, messages come in order, acks make room' },
  {
    name: 'settle',
    holds: 'reject drops, nack requeues with the redelivered flag, one ack covers several',
  },
  { name: 'get', holds: 'get fetches, requeues, and says that a queue is empty' },
  { name: 'return', holds: 'a mandatory message without a queue comes back with 312' },
  { name: 'rpc', holds: 'requests and answers find each other through an exclusive reply queue' },
  { name: 'direct-reply-to', holds: 'the same through `amq.rabbitmq.reply-to`' },
  { name: 'large', holds: 'a body of 10 MiB comes back as it was, by consume and by get' },
  {
    name: 'unicode',
    holds: 'names, keys, headers and bodies of any script come back as they were',
  },
  {
    name: 'headers',
    holds: 'every field type that the client writes and reads comes back as it was',
  },
  { name: 'properties', holds: 'every property of basic comes back as it was' },
  {
    name: 'heartbeat',
    holds: 'a connection with an interval of 3 s lives through more than three of silence',
  },
  { name: 'tx', holds: 'commit shows what was published, rollback forgets it' },
  { name: 'exchange-binding', holds: 'messages pass from exchange to exchange until unbound' },
  { name: 'recover', holds: 'basic.recover brings unacked messages again, redelivered' },
  { name: 'cancel', holds: 'the client hears that its consumer ended with its queue' },
  {
    name: 'amqps',
    holds:
      '`confirm`, `consume`, `get`, `large` and `heartbeat` again over TLS, with an authority that the client is told of',
  },
  {
    name: 'restart-sigterm',
    holds:
      'after SIGTERM and a new start the client is back, and all that was confirmed is there, in order',
  },
  { name: 'restart-sigkill', holds: 'the same after SIGKILL' },
  {
    name: 'restart-consumer',
    holds:
      'a client that says that it restores its consumers is sent messages again after SIGKILL, without any doing of its user',
  },
];

/** Through Celery, which is kombu with a worker: what its users rely on. */
export const CELERY_SCENARIOS: readonly Scenario[] = [
  { name: 'task', holds: 'a worker runs tasks, and results and errors come back through `rpc://`' },
  { name: 'retry', holds: 'a task that asks for it is run again' },
  { name: 'countdown', holds: 'a task with a countdown is not run before its time' },
  {
    name: 'control',
    holds: 'the worker answers `inspect ping` through its fanout mailbox, and is told a rate limit',
  },
  {
    name: 'shutdown',
    holds: 'a remote shutdown ends the worker in order, and no task is left unacked',
  },
  {
    name: 'restart-sigterm',
    holds: 'after SIGTERM and a new start the worker is back and runs tasks',
  },
  { name: 'restart-sigkill', holds: 'the same after SIGKILL' },
];

/** What a client goes through over TLS, as far as it can, for its `amqps`. */
export const TLS_SCENARIOS: readonly ProtocolScenarioName[] = [
  'confirm',
  'consume',
  'get',
  'large',
  'heartbeat',
];

/** Those during which the server is ended and started, in this order. */
export const RESTARTS: readonly {
  readonly scenario: ProtocolScenarioName;
  readonly signal: 'SIGTERM' | 'SIGKILL';
}[] = [
  { scenario: 'restart-sigterm', signal: 'SIGTERM' },
  { scenario: 'restart-sigkill', signal: 'SIGKILL' },
  { scenario: 'restart-consumer', signal: 'SIGKILL' },
];
