/**
 * Looks at what a broker holds as its clients can: passive declares, all messages of every queue with their bodies,
 * and where a message to each exchange comes out.
 */
import type { AnyMethod } from '../../../generated/index.ts';
import * as frames from '../client-frames.ts';
import type { Random } from '../random.ts';
import { idOfBody } from './body.ts';
import { type DiskCondition, isRightfulAtBoot } from './complaints.ts';
import { type Observation, type ObservedMessage, type ObservedQueue, routeKey } from './events.ts';
import type { Machine } from './machine.ts';
import type { MemoryClient } from './memory-client.ts';

/** What the names are that are looked for. */
export interface Places {
  readonly queues: readonly string[];
  readonly routes: readonly (readonly [string, string])[];
}

/** Finds out all; the broker is of no use afterwards. */
export async function observe(
  machine: Machine,
  places: Places,
  disk: DiskCondition,
  random: Random,
): Promise<Observation> {
  return new Observer(machine, disk, random).observe(places);
}

interface Reply {
  readonly method: AnyMethod;
  readonly body: Buffer;
}

class Observer {
  private readonly machine: Machine;
  private readonly disk: DiskCondition;
  private readonly random: Random;
  private readonly client: MemoryClient;
  private readonly troubles: string[];
  private replies: Reply[];
  private channel: number;

  constructor(machine: Machine, disk: DiskCondition, random: Random) {
    this.machine = machine;
    this.disk = disk;
    this.random = random;
    this.troubles = [];
    this.replies = [];
    this.channel = 1;
    this.client = machine.connect({
      method: (_channel, method, body) => this.replies.push({ method, body }),
      closed: () => this.troubles.push('the connection of the observer is closed'),
    });
  }

  async observe({ queues: names, routes: ways }: Places): Promise<Observation> {
    await this.openChannel();
    const queues = new Map<string, ObservedQueue>();
    for (const name of names) {
      const messageCount = await this.messageCount(name);
      if (messageCount === null) continue;
      queues.set(name, { messageCount, messages: await this.drain(name, messageCount) });
    }
    const exchanges = new Set<string>();
    const routes = new Map<string, ReadonlySet<string>>();
    for (const [exchange, key] of ways) {
      if (!exchanges.has(exchange) && !(await this.exchangeExists(exchange))) continue;
      exchanges.add(exchange);
      routes.set(routeKey(exchange, key), await this.reached(exchange, key, [...queues.keys()]));
    }
    // Nothing waits any more: a disk that was full has room.
    await this.machine.until('end of all alarms', () => !this.machine.holds.publishes);
    this.judge(names);
    return { queues, exchanges, routes, troubles: this.troubles };
  }

  /** A crash is no damage: nothing is reported, and nothing appears that nobody declared. */
  private judge(names: readonly string[]): void {
    for (const complaint of this.machine.complaints) {
      if (isRightfulAtBoot(complaint, this.disk)) continue;
      this.troubles.push(`the broker says: ${complaint.text}`);
    }
    for (const name of this.machine.vhost.queues.keys()) {
      if (!names.includes(name)) this.troubles.push(`there is a queue ${name}`);
    }
  }

  private async openChannel(): Promise<void> {
    this.client.send(frames.channelOpen(this.channel), frames.confirmSelect(this.channel));
    await this.reply('confirm.select-ok');
  }

  /** Waits for a method and forgets those before it; a close of the channel instead makes it null. */
  private async reply(name: AnyMethod['name']): Promise<Reply | null> {
    const isEnd = ({ method }: Reply): boolean =>
      method.name === name || method.name === 'channel.close';
    await this.machine.until(name, () => this.replies.some(isEnd) || this.client.isClosed);
    const end = this.replies.find(isEnd);
    this.replies = [];
    if (end?.method.name !== 'channel.close') return end ?? null;
    this.client.send(frames.channelCloseOk(this.channel));
    this.channel++;
    await this.openChannel();
    return null;
  }

  /** Messages ready in a queue; null when it does not exist. */
  private async messageCount(queue: string): Promise<number | null> {
    this.client.send(frames.queueDeclare(this.channel, { queue, passive: true }));
    const reply = await this.reply('queue.declare-ok');
    return reply?.method.name === 'queue.declare-ok' ? reply.method.args.messageCount : null;
  }

  private async exchangeExists(exchange: string): Promise<boolean> {
    this.client.send(frames.exchangeDeclare(this.channel, { exchange, passive: true }));
    return (await this.reply('exchange.declare-ok')) !== null;
  }

  /** Takes all messages, by gets or by a consumer. */
  private async drain(queue: string, count: number): Promise<ObservedMessage[]> {
    const taken: Reply[] = [];
    if (count > 0 && this.random.chance(0.7)) {
      this.client.send(frames.basicConsume(this.channel, { queue, consumerTag: queue }));
      const arrived = (): Reply[] =>
        this.replies.filter(({ method }) => method.name === 'basic.deliver');
      await this.machine.until(`${count} deliveries of ${queue}`, () => arrived().length >= count);
      taken.push(...arrived());
      this.client.send(frames.basicCancel(this.channel, queue));
      await this.reply('basic.cancel-ok');
    }
    for (;;) {
      this.client.send(frames.basicGet(this.channel, queue));
      const isAnswer = ({ method }: Reply): boolean => method.name.startsWith('basic.get-');
      await this.machine.until(`get of ${queue}`, () => this.replies.some(isAnswer));
      const answer = this.replies.find(isAnswer)!;
      this.replies = [];
      if (answer.method.name === 'basic.get-empty') break;
      taken.push(answer);
    }
    // The channel may end before the probes come.
    if (taken.length > 0) this.client.send(frames.basicAck(this.channel, 0, true));
    return taken.map((reply) => this.observed(queue, reply));
  }

  private observed(queue: string, { method, body }: Reply): ObservedMessage {
    const id = idOfBody(body);
    if (id === null) this.troubles.push(`a message of ${queue} has a wrong body`);
    const { args } = method;
    return {
      id: id ?? -1,
      size: body.length,
      redelivered: 'redelivered' in args && args.redelivered,
    };
  }

  /** The queues that a message to an exchange comes to; all of them are empty before. */
  private async reached(
    exchange: string,
    key: string,
    queues: readonly string[],
  ): Promise<ReadonlySet<string>> {
    this.client.send(frames.publishTo(this.channel, { exchange, routingKey: key }, 'probe'));
    await this.reply('basic.ack');
    const reached = new Set<string>();
    for (const queue of queues) {
      if ((await this.messageCount(queue)) === 0) continue;
      reached.add(queue);
      this.client.send(frames.queuePurge(this.channel, queue));
      await this.reply('queue.purge-ok');
    }
    return reached;
  }
}
