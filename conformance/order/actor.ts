/** One client of a script: what it does it tells the model when it sends it, and what it hears when that comes. */
import { type Login, OrderClient, type OrderSink, type Received } from './order-client.ts';
import type { ModelConsumer, ModelMessage, QueueCounts, QueueModel } from './queue-model.ts';
import type { LonelyOperation, Operation } from './script.ts';

/** Where scripts are played. */
export interface Scene {
  readonly login: Login;
  /**
   * A client asks the next thing before the last is answered. RabbitMQ 3.10 does not bear that: an error of the server,
   * 541, answers a cancel behind a consume.
   */
  readonly isPipelined: boolean;
  /**
   * What was on its way to a consumer without acks when its channel was closed has been told before the close-ok. RabbitMQ
   * may throw it away instead, which it may; such channels are then closed only while nobody else does anything.
   */
  readonly tellsAllBeforeClose: boolean;
}

/** What all actors of a script share. */
export interface Stage extends Scene {
  readonly model: QueueModel;
  readonly queues: readonly string[];
  /** Reaches all queues. */
  readonly fanout: string;
}

/** A delivery that is not settled. */
interface Unacked {
  readonly queue: string;
  readonly id: string;
  /** Null: it was fetched by basic.get. */
  readonly consumer: ModelConsumer | null;
  /** What the transaction does with it; null: nothing yet. */
  held: 'settle' | 'requeue' | null;
}

export class Actor implements OrderSink {
  private readonly stage: Stage;
  private readonly name: string;
  private readonly isTransactional: boolean;
  private client: OrderClient | null = null;
  /** Counts its channels: each publishes in an order of its own. */
  private life = 0;
  private published = 0;
  private publishedOnChannel = 0;
  private confirmedOnChannel = 0;
  private wakeConfirms: () => void = () => undefined;
  private consumersMade = 0;
  private readonly consumers: Map<string, ModelConsumer> = new Map();
  private readonly unacked: Map<number, Unacked> = new Map();
  private readonly gets: { readonly queue: string; readonly noAck: boolean }[] = [];
  private readonly uncommitted: { readonly message: ModelMessage; readonly queues: string[] }[] =
    [];
  /** It has decided to close its channel, or waits for a recover. */
  private mayNotAct = false;
  /** Its channel is being closed, or recovers: what comes until then is back in its queue. */
  private goesBack = false;

  constructor(stage: Stage, index: number, isTransactional: boolean) {
    this.stage = stage;
    this.name = `p${index}`;
    this.isTransactional = isTransactional;
  }

  async open(): Promise<void> {
    this.client = await OrderClient.open(this.stage.login, this);
    await this.begin();
  }

  /** Does it, if there is anything to do it with; resolves when the broker has answered. */
  async perform(operation: Operation | LonelyOperation): Promise<void> {
    if (this.mayNotAct) return;
    switch (operation.kind) {
      case 'publish':
        this.publish(operation.queue, operation.count);
        return;
      case 'consume':
        await this.consume(this.queue(operation.queue), operation.prefetch, operation.noAck);
        return;
      case 'cancel':
        await this.cancel(operation.which);
        return;
      case 'get':
        await this.get(this.queue(operation.queue), operation.noAck);
        return;
      case 'ack':
        this.settle(operation.which, operation.multiple, 'settle', 'basic.ack');
        return;
      case 'nack':
        this.settle(
          operation.which,
          operation.multiple,
          operation.requeue ? 'requeue' : 'settle',
          'basic.nack',
        );
        return;
      case 'recover':
        await this.recover();
        return;
      case 'commit':
        if (this.isTransactional) await this.commit();
        return;
      case 'rollback':
        if (this.isTransactional) await this.rollback();
        return;
      case 'purge':
        await this.purge(this.queue(operation.queue));
        return;
      default:
        await this.endChannel(operation.kind);
    }
  }

  /** Resolves when all that it published is confirmed; earlier once the broker has done wrong, which may be that it ended. */
  async settled(): Promise<void> {
    const { model } = this.stage;
    while (
      !this.isTransactional &&
      this.confirmedOnChannel < this.publishedOnChannel &&
      model.violation === null
    ) {
      await new Promise<void>((resolve) => {
        this.wakeConfirms = resolve;
      });
    }
  }

  /** Asks for every queue; behind the answers, asked twice, come no more deliveries of what was done before. */
  async count(): Promise<Map<string, QueueCounts>> {
    const counts = new Map<string, QueueCounts>();
    await Promise.all(
      this.stage.queues.map(async (queue) => {
        const { messageCount, consumerCount } = await this.link.ask(
          'queue.declare',
          { queue, passive: true },
          'queue.declare-ok',
        );
        counts.set(queue, { messages: messageCount, consumers: consumerCount });
      }),
    );
    return counts;
  }

  async close(): Promise<void> {
    this.beginEnd();
    await this.link.close();
    this.forgetConsumers();
  }

  /** Lets go of its connection, in whatever state it is. */
  abandon(): void {
    this.client?.abandon();
  }

  /** Fetches one message without acking; false when there is none. */
  async drainOne(queue: string): Promise<boolean> {
    const method = await this.get(queue, true);
    return method === 'basic.get-ok';
  }

  // --- what comes ------------------------------------------------------------------------------

  delivered(consumerTag: string, message: Received): void {
    const consumer = this.consumers.get(consumerTag);
    const { model } = this.stage;
    if (consumer === undefined) {
      model.complain(`${this.name} is delivered ${message.body} for no consumer`);
      return;
    }
    const { queue, noAck } = consumer;
    if (this.goesBack && !noAck) {
      model.deliverTooLate(queue, message.body);
      return;
    }
    model.deliver(consumer, message.body, message.redelivered);
    if (!noAck) this.keep(message, queue, consumer);
  }

  got(message: Received | null, messageCount: number): void {
    const get = this.gets.shift();
    const { model } = this.stage;
    if (get === undefined) {
      model.complain(`${this.name} is answered a basic.get that it did not send`);
      return;
    }
    const { queue, noAck } = get;
    if (message === null) {
      model.gotNothing(queue);
      return;
    }
    if (this.goesBack && !noAck) {
      model.deliverTooLate(queue, message.body);
      return;
    }
    model.got(queue, message.body, message.redelivered, noAck, messageCount);
    if (!noAck) this.keep(message, queue, null);
  }

  confirmed(deliveryTag: number, multiple: boolean): void {
    // Confirms come in order, and here nobody waits for one alone.
    this.confirmedOnChannel = multiple ? deliveryTag : this.confirmedOnChannel + 1;
    this.wakeConfirms();
  }

  recovered(): void {
    this.goesBack = false;
  }

  failed(what: string): void {
    this.stage.model.complain(`${this.name}: ${what}`);
    this.wakeConfirms();
  }

  // --- what it does ----------------------------------------------------------------------------

  private publish(to: number, count: number): void {
    const { model, queues, fanout } = this.stage;
    const routed = to < queues.length ? [this.queue(to)] : [...queues];
    for (let i = 0; i < count; i++) {
      const publisher = `${this.name}.${this.life}`;
      const number = this.published++;
      const message = { id: `${publisher}-${number}`, publisher, number };
      if (this.isTransactional) this.uncommitted.push({ message, queues: routed });
      else model.publish(message, routed);
      this.publishedOnChannel++;
      const [exchange, key] = routed.length > 1 ? [fanout, ''] : ['', routed[0]!];
      this.link.publish(exchange, key, message.id);
    }
  }

  private async consume(queue: string, prefetch: number, noAck: boolean): Promise<void> {
    const consumer: ModelConsumer = {
      queue,
      noAck,
      prefetch: noAck ? 0 : prefetch,
      unsettled: 0,
      seen: new Map(),
      latestBurst: 0,
    };
    const consumerTag = `c${this.consumersMade++}`;
    this.consumers.set(consumerTag, consumer);
    this.stage.model.consumers.add(consumer);
    const qos = this.link.ask('basic.qos', { prefetchCount: prefetch }, 'basic.qos-ok');
    const args = { queue, consumerTag, noAck };
    await Promise.all([qos, this.link.ask('basic.consume', args, 'basic.consume-ok')]);
  }

  private async cancel(which: number): Promise<void> {
    const tags = [...this.consumers.keys()];
    const consumerTag = tags[which % tags.length];
    if (consumerTag === undefined) return;
    await this.link.ask('basic.cancel', { consumerTag }, 'basic.cancel-ok');
    const consumer = this.consumers.get(consumerTag);
    if (consumer !== undefined) this.stage.model.consumers.delete(consumer);
    this.consumers.delete(consumerTag);
  }

  private async get(queue: string, noAck: boolean): Promise<string> {
    this.gets.push({ queue, noAck });
    return this.link.askOneOf('basic.get', { queue, noAck }, 'basic.get-ok', 'basic.get-empty');
  }

  private settle(
    which: number,
    multiple: boolean,
    fate: 'settle' | 'requeue',
    method: 'basic.ack' | 'basic.nack',
  ): void {
    const open = [...this.unacked].filter(([, { held }]) => held === null).map(([tag]) => tag);
    const deliveryTag = open[which % open.length];
    if (deliveryTag === undefined) return;
    for (const tag of multiple ? open.filter((tag) => tag <= deliveryTag) : [deliveryTag]) {
      const unacked = this.unacked.get(tag)!;
      if (this.isTransactional) unacked.held = fate;
      else this.end(tag, unacked, fate);
    }
    if (method === 'basic.ack') this.link.send('basic.ack', { deliveryTag, multiple });
    else this.link.send('basic.nack', { deliveryTag, multiple, requeue: fate === 'requeue' });
  }

  private async recover(): Promise<void> {
    this.beginReturning();
    for (const [tag, unacked] of [...this.unacked]) {
      if (unacked.held === null) this.end(tag, unacked, 'requeue');
    }
    this.mayNotAct = true;
    await this.link.ask('basic.recover', { requeue: true }, 'basic.recover-ok');
    this.mayNotAct = false;
  }

  private async commit(): Promise<void> {
    for (const { message, queues } of this.uncommitted.splice(0)) {
      this.stage.model.publish(message, queues);
    }
    for (const [tag, unacked] of [...this.unacked]) {
      if (unacked.held !== null) this.end(tag, unacked, unacked.held);
    }
    await this.link.ask('tx.commit', {}, 'tx.commit-ok');
  }

  private async rollback(): Promise<void> {
    this.uncommitted.length = 0;
    for (const unacked of this.unacked.values()) unacked.held = null;
    await this.link.ask('tx.rollback', {}, 'tx.rollback-ok');
  }

  private async purge(queue: string): Promise<void> {
    const expected = this.stage.model.purge(queue);
    const { messageCount } = await this.link.ask('queue.purge', { queue }, 'queue.purge-ok');
    if (messageCount !== expected) {
      this.stage.model.complain(`a purge of ${queue} tells ${messageCount} instead of ${expected}`);
    }
  }

  private async endChannel(how: 'close-channel' | 'close-connection' | 'reset'): Promise<void> {
    const { tellsAllBeforeClose, model } = this.stage;
    if (!tellsAllBeforeClose && !model.isAlone && this.takesWithoutAcks) return;
    this.mayNotAct = true;
    // A broker need not answer what is asked while the connection closes.
    if (how !== 'close-channel') await this.link.answered();
    this.beginEnd();
    if (how === 'close-channel') await this.link.reopenChannel();
    else if (how === 'close-connection') await this.link.close();
    else await this.link.reset();
    this.forgetConsumers();
    this.goesBack = false;
    this.mayNotAct = false;
    if (how === 'close-channel') await this.begin();
    else await this.open();
  }

  private get takesWithoutAcks(): boolean {
    return [...this.consumers.values(), ...this.gets].some(({ noAck }) => noAck);
  }

  /** A new channel: nothing is published, confirmed or consumed on it yet. */
  private async begin(): Promise<void> {
    this.life++;
    this.publishedOnChannel = 0;
    this.confirmedOnChannel = 0;
    if (this.isTransactional) await this.link.ask('tx.select', {}, 'tx.select-ok');
    else await this.link.ask('confirm.select', {}, 'confirm.select-ok');
  }

  /** From now on the broker may have sent what it puts back as soon as it has read what is sent now. */
  private beginReturning(): void {
    const { model } = this.stage;
    this.goesBack = true;
    for (const { queue } of [...this.consumers.values(), ...this.gets]) model.returnsUnseen(queue);
  }

  private beginEnd(): void {
    this.beginReturning();
    for (const [tag, unacked] of [...this.unacked]) this.end(tag, unacked, 'requeue');
    this.uncommitted.length = 0;
  }

  private forgetConsumers(): void {
    for (const consumer of this.consumers.values()) this.stage.model.consumers.delete(consumer);
    this.consumers.clear();
  }

  private keep(
    { deliveryTag, body }: Received,
    queue: string,
    consumer: ModelConsumer | null,
  ): void {
    this.unacked.set(deliveryTag, { queue, id: body, consumer, held: null });
  }

  private end(tag: number, { queue, id, consumer }: Unacked, fate: 'settle' | 'requeue'): void {
    this.unacked.delete(tag);
    if (consumer !== null) consumer.unsettled--;
    if (fate === 'settle') this.stage.model.settle(queue, id);
    else this.stage.model.requeue(queue, id);
  }

  private queue(number: number): string {
    return this.stage.queues[number % this.stage.queues.length]!;
  }

  private get link(): OrderClient {
    if (this.client === null) throw new Error(`${this.name} is not connected`);
    return this.client;
  }
}
