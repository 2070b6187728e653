/** A connection that publishes, with confirms or without. */
import { type AnyMethod, RESOURCE_ERROR } from '../../../generated/index.ts';
import * as frames from '../client-frames.ts';
import { bodyOf } from './body.ts';
import type { Machine } from './machine.ts';
import type { MemoryClient } from './memory-client.ts';
import type { Recorder } from './recorder.ts';

const CHANNEL = 1;

/** One publisher; it publishes through one channel. */
export class CrashPublisher {
  readonly name: string;
  private readonly machine: Machine;
  private readonly client: MemoryClient;
  private readonly recorder: Recorder;
  /** Ids not yet confirmed, by delivery tag. */
  private readonly unconfirmed: Map<number, number>;
  /** Ids that the broker may not have read yet: what comes behind them is not read before them. */
  private readonly unread: Set<number>;
  private published: number;
  private isDropped: boolean;
  /** The disk has refused a body, and the broker has closed the channel over it. */
  isRefused: boolean;

  /** Without confirms nobody waits for what it publishes, and the broker may never write it. */
  constructor(machine: Machine, name: string, recorder: Recorder, withConfirms: boolean) {
    this.name = name;
    this.machine = machine;
    this.recorder = recorder;
    this.unconfirmed = new Map();
    this.unread = new Set();
    this.published = 0;
    this.isDropped = false;
    this.isRefused = false;
    this.client = machine.connect({
      method: (_channel, method) => this.heard(method),
      closed: () => {
        if (!this.isDropped) recorder.blame(`the connection of publisher ${name} is closed`);
      },
    });
    this.client.send(frames.channelOpen(CHANNEL));
    if (withConfirms) this.client.send(frames.confirmSelect(CHANNEL));
  }

  /** Whether the broker has read all that it sent, as far as can be told. */
  get isHeard(): boolean {
    return this.unread.size === 0 && this.client.socket.isRead;
  }

  /** Publishes message `id`. */
  publish(id: number, exchange: string, key: string, size: number): void {
    this.publishRun(exchange, key, [{ id, size }]);
  }

  /** Publishes several messages that the broker reads at once. */
  publishRun(
    exchange: string,
    key: string,
    messages: readonly { readonly id: number; readonly size: number }[],
  ): void {
    const { name: publisher } = this;
    for (const { id, size } of messages) {
      this.unconfirmed.set(++this.published, id);
      this.recorder.add({ type: 'publish', id, publisher, exchange, key, size, tx: null });
    }
    const wasHeard = this.isHeard && !this.machine.holds.publishes;
    this.client.send(
      ...messages.map(({ id, size }) =>
        frames.publishTo(CHANNEL, { exchange, routingKey: key }, bodyOf(id, size)),
      ),
    );
    if (wasHeard && this.isHeard && !this.machine.holds.publishes) return;
    for (const { id } of messages) {
      this.unread.add(id);
      this.recorder.add({ type: 'unread', id });
    }
  }

  /** The socket is gone: what was not confirmed never will be. */
  drop(): void {
    this.isDropped = true;
    this.client.drop();
  }

  private heard({ name, args }: AnyMethod): void {
    if (name === 'basic.ack') this.confirmed(args.deliveryTag, args.multiple);
    else if (name === 'channel.close' && args.replyCode === RESOURCE_ERROR) this.isRefused = true;
    else if (name === 'channel.close' || name === 'connection.close') {
      this.recorder.blame(`publisher ${this.name} is told ${name}: ${args.replyText}`);
    } else if (name === 'basic.nack') this.recorder.blame('a publish is nacked');
  }

  private confirmed(tag: number, multiple: boolean): void {
    const ids: number[] = [];
    for (const [other, id] of this.unconfirmed) {
      if (other !== tag && !(multiple && other < tag)) continue;
      ids.push(id);
      this.unread.delete(id);
      this.unconfirmed.delete(other);
    }
    this.recorder.add({ type: 'confirm', ids });
  }
}
