/** A connection with a transactional channel: gets messages, acks them and publishes others in one commit. */
import { type AnyMethod, INTERNAL_ERROR } from '../../../generated/index.ts';
import * as frames from '../client-frames.ts';
import type { Random } from '../random.ts';
import { bodyOf, idOfBody } from './body.ts';
import type { CopyName, Source } from './events.ts';
import type { Machine } from './machine.ts';
import type { MemoryClient } from './memory-client.ts';
import type { Recorder } from './recorder.ts';

const CHANNEL = 1;

interface Delivery {
  readonly tag: number;
  readonly copy: CopyName;
}

/** Numbers transactions over all sessions of a life. */
export interface TxNumbers {
  next: number;
}

/** One transactional session. */
export class CrashTransactor {
  private readonly machine: Machine;
  private readonly client: MemoryClient;
  private readonly recorder: Recorder;
  private readonly random: Random;
  private readonly numbers: TxNumbers;
  private readonly name: string;
  /** Commits and rollbacks without an answer, oldest first; null: a rollback. */
  private readonly questions: ({ readonly question: number; readonly tx: number } | null)[];
  private readonly gets: Source[];
  /** Ids that the broker may not have read yet. */
  private readonly unread: Set<number>;
  /** Neither acked nor given back; and acked in the open transaction. */
  private unacked: Delivery[];
  private acked: Delivery[];
  private tx: number;
  private isDropped: boolean;
  /** The broker could not read a body, and has ended the channel or the connection over it. */
  isBroken: boolean;

  constructor(
    machine: Machine,
    name: string,
    recorder: Recorder,
    random: Random,
    numbers: TxNumbers,
  ) {
    this.machine = machine;
    this.recorder = recorder;
    this.random = random;
    this.numbers = numbers;
    this.name = name;
    this.questions = [];
    this.gets = [];
    this.unread = new Set();
    this.unacked = [];
    this.acked = [];
    this.tx = numbers.next++;
    this.isDropped = false;
    this.isBroken = false;
    this.client = machine.connect({
      method: (_channel, method, body) => this.heard(method, body),
      closed: () => this.closed(),
    });
    this.client.send(frames.channelOpen(CHANNEL), frames.txSelect(CHANNEL));
  }

  get unackedCount(): number {
    return this.unacked.length;
  }

  /** Whether the broker has read all that it sent, as far as can be told. */
  get isHeard(): boolean {
    return this.unread.size === 0 && this.client.socket.isRead;
  }

  get(queue: string, queueKey: string): void {
    const source = { queueKey, noAck: false, isGet: true };
    this.gets.push(source);
    this.recorder.add({ type: 'source', ...source });
    this.client.send(frames.basicGet(CHANNEL, queue));
  }

  /** Publishes message `id` in the open transaction. */
  publish(id: number, exchange: string, key: string, size: number): void {
    const { name: publisher, tx } = this;
    this.recorder.add({ type: 'publish', id, publisher, exchange, key, size, tx });
    const wasHeard = this.isHeard && !this.machine.holds.publishes;
    const body = bodyOf(id, size);
    this.client.send(frames.publishTo(CHANNEL, { exchange, routingKey: key }, body));
    if (wasHeard && this.isHeard && !this.machine.holds.publishes) return;
    this.unread.add(id);
    this.recorder.add({ type: 'unread', id });
  }

  /** Acks one delivery, or rejects it for good, in the open transaction. */
  settle(): void {
    const [delivery] = this.unacked.splice(this.random.below(this.unacked.length), 1);
    if (delivery === undefined) return;
    const { tag, copy } = delivery;
    this.acked.push(delivery);
    this.recorder.add({ type: 'settle', copies: [copy], tx: this.tx });
    const isAcked = this.random.chance(0.8);
    this.client.send(
      isAcked ? frames.basicAck(CHANNEL, tag) : frames.basicReject(CHANNEL, tag, false),
    );
  }

  commit(): void {
    const question = this.recorder.question();
    this.questions.push({ question, tx: this.tx });
    this.recorder.add({ type: 'commit', question, tx: this.tx });
    this.begin();
    this.client.send(frames.txCommit(CHANNEL));
  }

  rollback(): void {
    this.questions.push(null);
    this.recorder.add({ type: 'rollback', tx: this.tx });
    this.unacked = [...this.acked, ...this.unacked];
    this.begin();
    this.client.send(frames.txRollback(CHANNEL));
  }

  /** The socket is gone: what was not committed never happened. */
  drop(): void {
    this.isDropped = true;
    this.client.drop();
  }

  private begin(): void {
    this.acked = [];
    this.tx = this.numbers.next++;
  }

  private closed(): void {
    if (this.isBroken) return;
    if (!this.isDropped) this.recorder.blame('the connection of a transactor is closed');
    this.lost();
  }

  private lost(): void {
    this.recorder.add({ type: 'rollback', tx: this.tx });
    for (const asked of this.questions) {
      if (asked !== null) this.recorder.add({ type: 'commit-lost', tx: asked.tx });
    }
    const back = [...this.acked, ...this.unacked];
    this.recorder.add({ type: 'requeue', copies: back.map(({ copy }) => copy) });
    for (const source of this.gets) this.recorder.add({ type: 'source-lost', ...source });
    this.unacked = [];
    this.begin();
  }

  private heard(method: AnyMethod, body: Buffer): void {
    switch (method.name) {
      case 'basic.get-ok':
        this.got(this.gets.shift()!, method.args.deliveryTag, method.args.redelivered, body);
        return;
      case 'basic.get-empty':
        this.recorder.add({ type: 'source-end', ...this.gets.shift()! });
        return;
      case 'tx.commit-ok':
      case 'tx.rollback-ok': {
        const asked = this.questions.shift() ?? null;
        if (asked !== null) this.recorder.add({ type: 'answer', question: asked.question });
        return;
      }
      case 'channel.close':
      case 'connection.close':
        if (method.args.replyCode === INTERNAL_ERROR) {
          this.isBroken = true;
          this.lost();
          return;
        }
        this.recorder.blame(`a transactor is told ${method.name}: ${method.args.replyText}`);
        return;
      default:
    }
  }

  private got(source: Source, tag: number, redelivered: boolean, body: Buffer): void {
    const id = idOfBody(body);
    this.recorder.add({ type: 'source-end', ...source });
    if (id === null) {
      this.recorder.blame(`${source.queueKey} delivers a wrong body`);
      return;
    }
    const copy = { queueKey: source.queueKey, id };
    this.recorder.add({ type: 'deliver', copy, redelivered, noAck: false });
    this.unacked.push({ tag, copy });
  }
}
