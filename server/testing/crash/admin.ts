/** A connection that declares, binds, purges and deletes, without waiting for answers. */
import type { AnyMethod } from '../../../generated/index.ts';
import * as frames from '../client-frames.ts';
import type { Change } from './events.ts';
import type { Machine } from './machine.ts';
import type { MemoryClient } from './memory-client.ts';
import type { Recorder } from './recorder.ts';

const CHANNEL = 1;
const ANSWERS: ReadonlySet<string> = new Set([
  'queue.declare-ok',
  'queue.delete-ok',
  'queue.purge-ok',
  'queue.bind-ok',
  'queue.unbind-ok',
  'exchange.declare-ok',
  'exchange.delete-ok',
]);

/** Asks for changes of what exists. */
export class CrashAdmin {
  private readonly machine: Machine;
  private readonly client: MemoryClient;
  private readonly recorder: Recorder;
  /** Questions without an answer, oldest first. */
  private readonly questions: number[];
  private isRead: boolean;
  /** Queues that a change is asked for which the broker may not have read. */
  private readonly unread: Set<string>;
  private isDropped: boolean;

  constructor(machine: Machine, recorder: Recorder) {
    this.machine = machine;
    this.recorder = recorder;
    this.questions = [];
    this.isRead = true;
    this.unread = new Set();
    this.isDropped = false;
    this.client = machine.connect({
      method: (_channel, method) => this.heard(method),
      closed: () => {
        if (!this.isDropped) recorder.blame("the admin's connection is closed");
      },
    });
    this.client.send(frames.channelOpen(CHANNEL));
  }

  /** False while the broker does not read what it was asked: what that does to others is not known. */
  get isHeard(): boolean {
    return this.isRead || this.questions.length === 0;
  }

  /** Whether the broker has read all that concerns the making and the end of a queue, as far as can be told. */
  isHeardOf(queue: string): boolean {
    return this.isHeard || !this.unread.has(queue);
  }

  /** Asks for changes, all in one chunk. */
  ask(...changes: readonly Change[]): void {
    if (this.isHeard) this.unread.clear();
    for (const change of changes) {
      if ('name' in change) this.unread.add(change.name);
      const question = this.recorder.question();
      this.questions.push(question);
      this.recorder.add({ type: 'ask', question, change });
    }
    const wasHeld = this.machine.holds.definitions;
    const isRead = this.client.send(...changes.map(frameOf));
    this.isRead = isRead && !wasHeld && !this.machine.holds.definitions;
  }

  drop(): void {
    this.isDropped = true;
    this.client.drop();
  }

  private heard({ name, args }: AnyMethod): void {
    if (name === 'channel.close' || name === 'connection.close') {
      this.recorder.blame(`the admin is told ${name}: ${args.replyText}`);
    } else if (ANSWERS.has(name)) {
      this.recorder.add({ type: 'answer', question: this.questions.shift()! });
    }
  }
}

function frameOf(change: Change): Buffer {
  switch (change.kind) {
    case 'declare-queue':
      return frames.queueDeclare(CHANNEL, { queue: change.name, durable: change.durable });
    case 'delete-queue':
      return frames.queueDelete(CHANNEL, change.name);
    case 'purge':
      return frames.queuePurge(CHANNEL, change.name);
    case 'declare-exchange':
      return frames.exchangeDeclare(CHANNEL, {
        exchange: change.name,
        type: change.type,
        durable: true,
      });
    case 'delete-exchange':
      return frames.exchangeDelete(CHANNEL, change.name);
    case 'bind':
    case 'unbind': {
      const { exchange, queue, key: routingKey } = change;
      const frame = change.kind === 'bind' ? frames.queueBind : frames.queueUnbind;
      return frame(CHANNEL, { exchange, queue, routingKey });
    }
  }
}
