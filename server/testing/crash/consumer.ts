/** A connection with one channel that consumes, gets, acks, rejects and puts back. */
import { type AnyMethod, INTERNAL_ERROR } from '../../../generated/index.ts';
import * as frames from '../client-frames.ts';
import type { Random } from '../random.ts';
import { idOfBody } from './body.ts';
import type { CopyName, Source } from './events.ts';
import type { Machine } from './machine.ts';
import type { MemoryClient } from './memory-client.ts';
import type { Recorder } from './recorder.ts';

const CHANNEL = 1;

interface Delivery {
  readonly tag: number;
  readonly copy: CopyName;
}

/** One consumer's session. */
export class CrashConsumer {
  private readonly client: MemoryClient;
  private readonly recorder: Recorder;
  private readonly random: Random;
  /** By consumer tag. */
  private readonly sources: Map<string, Source>;
  /** Gets without an answer, oldest first. */
  private readonly gets: Source[];
  /** Oldest first. */
  private unacked: Delivery[];
  private nextTag: number;
  private isDropped: boolean;
  /** The broker could not read a body, and has ended the channel or the connection over it. */
  isBroken: boolean;

  constructor(machine: Machine, recorder: Recorder, random: Random) {
    this.recorder = recorder;
    this.random = random;
    this.sources = new Map();
    this.gets = [];
    this.unacked = [];
    this.nextTag = 1;
    this.isDropped = false;
    this.isBroken = false;
    this.client = machine.connect({
      method: (_channel, method, body) => this.heard(method, body),
      closed: () => this.closed(),
    });
    this.client.send(frames.channelOpen(CHANNEL));
  }

  get sourceCount(): number {
    return this.sources.size;
  }

  get unackedCount(): number {
    return this.unacked.length;
  }

  consume(queue: string, queueKey: string, prefetch: number, noAck: boolean): void {
    const consumerTag = `c${this.nextTag++}`;
    this.sources.set(consumerTag, this.began({ queueKey, noAck, isGet: false }));
    this.client.send(
      frames.basicQos(CHANNEL, prefetch),
      frames.basicConsume(CHANNEL, { queue, consumerTag, noAck }),
    );
  }

  /** Ends one of its consumers; what it was given stays unacked. */
  cancel(): void {
    const tag = this.random.pick([...this.sources.keys()]);
    this.client.send(frames.basicCancel(CHANNEL, tag));
  }

  get(queue: string, queueKey: string, noAck: boolean): void {
    this.gets.push(this.began({ queueKey, noAck, isGet: true }));
    this.client.send(frames.basicGet(CHANNEL, queue, noAck));
  }

  /** Acks, or rejects for good, one delivery or all up to one. */
  settle(multiple: boolean, isAcked: boolean): void {
    const { tag, taken } = this.take(multiple);
    this.recorder.add({ type: 'settle', copies: taken.map(({ copy }) => copy), tx: null });
    if (isAcked) this.client.send(frames.basicAck(CHANNEL, tag, multiple));
    else if (multiple)
      this.client.send(frames.basicNack(CHANNEL, { deliveryTag: tag, multiple, requeue: false }));
    else this.client.send(frames.basicReject(CHANNEL, tag, false));
  }

  /** Puts back one delivery or all up to one. */
  requeue(multiple: boolean): void {
    const { tag, taken } = this.take(multiple);
    this.recorder.add({ type: 'requeue', copies: taken.map(({ copy }) => copy) });
    this.client.send(frames.basicNack(CHANNEL, { deliveryTag: tag, multiple, requeue: true }));
  }

  /** The socket is gone: answers under way are lost, and all that it was given comes back. */
  drop(): void {
    this.isDropped = true;
    this.client.drop();
  }

  private closed(): void {
    if (this.isBroken) return;
    if (!this.isDropped) this.recorder.blame('the connection of a consumer is closed');
    // The broker hears of it right behind us.
    this.lost();
  }

  private lost(): void {
    this.recorder.add({ type: 'requeue', copies: this.unacked.map(({ copy }) => copy) });
    this.unacked = [];
    for (const source of [...this.sources.values(), ...this.gets]) {
      this.recorder.add({ type: 'source-lost', ...source });
    }
  }

  private take(multiple: boolean): { tag: number; taken: Delivery[] } {
    const at = this.random.below(this.unacked.length);
    const { tag } = this.unacked[at]!;
    const taken = multiple ? this.unacked.splice(0, at + 1) : this.unacked.splice(at, 1);
    return { tag, taken };
  }

  private heard(method: AnyMethod, body: Buffer): void {
    switch (method.name) {
      case 'basic.deliver': {
        const { consumerTag, deliveryTag, redelivered } = method.args;
        this.delivered(this.sources.get(consumerTag), deliveryTag, redelivered, body);
        return;
      }
      case 'basic.get-ok': {
        const { deliveryTag, redelivered } = method.args;
        this.delivered(this.gets[0], deliveryTag, redelivered, body);
        this.ended(this.gets.shift());
        return;
      }
      case 'basic.get-empty':
        this.ended(this.gets.shift());
        return;
      case 'basic.cancel':
      case 'basic.cancel-ok':
        this.ended(this.sources.get(method.args.consumerTag));
        this.sources.delete(method.args.consumerTag);
        return;
      case 'channel.close':
      case 'connection.close':
        if (method.args.replyCode === INTERNAL_ERROR) {
          this.isBroken = true;
          this.lost();
          return;
        }
        this.recorder.blame(`a consumer is told ${method.name}: ${method.args.replyText}`);
        return;
      default:
    }
  }

  private began(source: Source): Source {
    this.recorder.add({ type: 'source', ...source });
    return source;
  }

  private ended(source: Source | undefined): void {
    if (source !== undefined) this.recorder.add({ type: 'source-end', ...source });
  }

  private delivered(
    source: Source | undefined,
    tag: number,
    redelivered: boolean,
    body: Buffer,
  ): void {
    const id = idOfBody(body);
    if (source === undefined) this.recorder.blame('a delivery comes that nobody asked for');
    else if (id === null) this.recorder.blame(`${source.queueKey} delivers a wrong body`);
    else {
      const { queueKey, noAck } = source;
      const copy = { queueKey, id };
      this.recorder.add({ type: 'deliver', copy, redelivered, noAck });
      if (!noAck) this.unacked.push({ tag, copy });
    }
  }
}
