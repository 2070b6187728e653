/**
 * @hot The turn of the event loop: what parsing marked is settled once for all of it.
 *
 * Reading sockets marks queues, logs and connections. When the loop has read what there is (setImmediate), one
 * turn delivers from the marked queues, lets each log close its batch, write and sync, and hands every
 * marked connection's output to its socket. So a system call is shared by thousands of messages.
 * Bench: scenario throughput.
 */
import type { Clock } from '../base/clock.ts';
import { deliverReady } from './deliver.ts';
import type { Flushable } from './ports.ts';
import type { Queue } from './queue.ts';

/** Has something to do at the end of a turn: a log closes its batch. */
export interface TurnEnder {
  endTurn(): void;
}

/** A connection that used up its share of a turn. */
export interface Resumable {
  resume(): void;
}

/** Collects what a turn has to settle, and settles it. One per server. */
export class Reactor {
  private readonly clock: Clock;
  private readonly onError: (error: unknown) => void;
  private queues: Queue[];
  private otherQueues: Queue[];
  private outputs: Flushable[];
  private otherOutputs: Flushable[];
  private resumables: Resumable[];
  private readonly turnEnders: TurnEnder[];
  private scheduled: boolean;
  private readonly runTurn: () => void;

  /** `onError` is told of a failed turn; the next one goes on. */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock;
    this.onError = onError;
    this.queues = [];
    this.otherQueues = [];
    this.outputs = [];
    this.otherOutputs = [];
    this.resumables = [];
    this.turnEnders = [];
    this.scheduled = false;
    this.runTurn = () => this.turn();
  }

  addTurnEnder(ender: TurnEnder): void {
    this.turnEnders.push(ender);
  }

  removeTurnEnder(ender: TurnEnder): void {
    const at = this.turnEnders.indexOf(ender);
    if (at >= 0) this.turnEnders.splice(at, 1);
  }

  /** A turn comes after what is being read now. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.runTurn);
  }

  /** HOT. The queue has messages and may have a willing consumer. */
  markQueue(queue: Queue): void {
    if (queue.isMarked) return;
    queue.isMarked = true;
    this.queues.push(queue);
    this.schedule();
  }

  /** The output has bytes to send; the caller marks each output once. */
  markOutput(output: Flushable): void {
    this.outputs.push(output);
    this.schedule();
  }

  /** Tells the owner of something that failed outside a turn. */
  report(error: Error): void {
    this.onError(error);
  }

  /** The connection is read again when this turn is over. */
  resumeLater(connection: Resumable): void {
    this.resumables.push(connection);
    this.schedule();
  }

  private turn(): void {
    this.scheduled = false;
    this.clock.tick();
    this.deliver();
    for (let i = 0; i < this.turnEnders.length; i++) {
      const ender = this.turnEnders[i]!;
      this.guarded(() => ender.endTurn());
    }
    this.flush();
    const { resumables } = this;
    if (resumables.length === 0) return;
    this.resumables = [];
    for (const connection of resumables) this.guarded(() => connection.resume());
  }

  private deliver(): void {
    const queues = this.queues;
    this.queues = this.otherQueues;
    this.otherQueues = queues;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!;
      queue.isMarked = false;
      queue.isBehind = false;
      try {
        queue.isBehind = deliverReady(queue, this.clock.monotonicMs);
      } catch (error) {
        this.onError(error);
      }
      if (queue.isBehind) this.markQueue(queue);
    }
    queues.length = 0;
  }

  private flush(): void {
    const outputs = this.outputs;
    this.outputs = this.otherOutputs;
    this.otherOutputs = outputs;
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]!;
      this.guarded(() => output.flush());
    }
    outputs.length = 0;
  }

  /** One failure in a turn must not take the rest of it along. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onError(error);
    }
  }
}
