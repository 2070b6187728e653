/**
 * @hot The turn of the event loop: what parsing marked is settled once for all of it.
 *
 * Reading sockets marks queues, logs and connections. When the loop has read what there is (setImmediate), one
 * turn delivers from the marked queues, lets each log close its batch, write and sync, and hands every
 * marked connection's output to its socket. So a system call is shared by thousands of messages.
 * Bench: scenario throughput.
 */
import { Alarm } from '../base/alarm.ts';
import type { Clock } from '../base/clock.ts';
import { BusyWait } from './busy-wait.ts';
import { deliverReady, hasDeliveredLong } from './deliver.ts';
import { DeliveryRun } from './delivery-run.ts';
import type { Flushable } from './ports.ts';
import type { Queue } from './queue.ts';

/** Bytes that a turn parses, or work that costs as much, until it is crowded. */
const PARSE_BYTES_PER_TURN = 2 * 1024 * 1024;
/** ... and for how long, in milliseconds: while code is cold, or its data, a byte costs several times as much. */
const PARSE_MS_PER_TURN = 6;
/** A crowded turn stops whoever brings so many bytes at once; who brings less is no part of the crowd. */
const CROWD_BYTES = 16 * 1024;
/** Connections that have used up their share and go on in one turn: as many as may crowd it. */
const RESUMED_PER_TURN = 8;
/** The same behind a turn that left queues over: what is published must not outrun what is delivered. */
const RESUMED_PER_TURN_BEHIND = 2;
/** Connections whose peer has left that are closed in one turn, at least, and for how long more are, in milliseconds. */
const LEAVING_PER_TURN = 8;
const LEAVING_MS_PER_TURN = 2;
/** Bytes of records that a turn delivers from all queues together, and at least from one. */
const DELIVER_BYTES_PER_TURN = 4 * 1024 * 1024;

/** Connections that yield go on, all together, at no less than this rate: their consumers may need their time. */
const YIELDING_BYTES_PER_MS = 64 * 1024;
/** ... and none of them waits for longer than this for the others. */
const YIELD_MS_MAX = 20;

/** Queues served between two looks at the clock. */
const QUEUES_PER_LOOK = 8;

/** Has something to do at the end of a turn: a log closes its batch. */
export interface TurnEnder {
  endTurn(): void;
}

/** A connection that used up its share of a turn. */
export interface Resumable {
  resume(): void;
}

/** A connection whose peer has left. */
export interface Leaving {
  leave(): void;
}

/** One that lets consumers catch up with it. */
export interface Yielding extends Resumable {
  /** Whether they have, or it is gone. */
  readonly mayGoOn: boolean;
}

/** One that yields, and when it goes on in any case, on the monotonic clock. */
interface Yield {
  readonly connection: Yielding;
  readonly untilMs: number;
}

/** Collects what a turn has to settle, and settles it. One per server. */
export class Reactor {
  readonly clock: Clock;
  readonly busyWait: BusyWait;
  private readonly run: DeliveryRun;
  private readonly onError: (error: unknown) => void;
  private queues: Queue[];
  private otherQueues: Queue[];
  private outputs: Flushable[];
  private otherOutputs: Flushable[];
  /** The longest waiting first. */
  private readonly resumables: Resumable[];
  private yielding: Yield[];
  /** When the last of them goes on in any case. */
  private yieldEndMs: number;
  /** The longest waiting first. */
  private leaving: Leaving[];
  private readonly alarm: Alarm;
  /** Counts turns: what was parsed under another number belongs to another turn. */
  turnNumber: number;
  /** Whether connections together have used up what a turn parses. */
  isCrowded: boolean;
  /** Bytes parsed since the last turn, or work that costs as much. */
  private parsedBytes: number;
  /** When the first of the crowd was done in this turn, on the monotonic clock; 0: none was. */
  private crowdedFromMs: number;
  /** Counts entries of messages into queues beyond the first of each message. */
  extraCopies: number;
  private readonly turnEnders: TurnEnder[];
  private scheduled: boolean;
  /** The last turn did not come to all queues. */
  private isBehind: boolean;
  private readonly runTurn: () => void;

  /** `onError` is told of a failed turn; the next one goes on. For `busyWaitMs` see {@link BusyWait}. */
  constructor(clock: Clock, onError: (error: unknown) => void, busyWaitMs = 0) {
    this.clock = clock;
    this.busyWait = new BusyWait(clock, busyWaitMs);
    this.run = new DeliveryRun();
    this.onError = onError;
    this.queues = [];
    this.otherQueues = [];
    this.outputs = [];
    this.otherOutputs = [];
    this.resumables = [];
    this.yielding = [];
    this.yieldEndMs = 0;
    this.leaving = [];
    this.alarm = new Alarm(clock, () => this.schedule());
    this.turnNumber = 0;
    this.isCrowded = false;
    this.parsedBytes = 0;
    this.crowdedFromMs = 0;
    this.extraCopies = 0;
    this.turnEnders = [];
    this.scheduled = false;
    this.isBehind = false;
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

  /** Between two turns: lets go of the memory of the last one. */
  rest(): void {
    this.run.rest();
  }

  /** Tells the owner of something that failed outside a turn. */
  report(error: Error): void {
    this.onError(error);
  }

  /** HOT per read. A connection has brought `bytes`, or work that costs as much; true when it is one of a crowd too many. */
  addParsed(bytes: number): boolean {
    this.parsedBytes += bytes;
    if (bytes < CROWD_BYTES) return false;
    this.isCrowded ||= this.parsedBytes >= PARSE_BYTES_PER_TURN || this.hasParsedLong();
    return this.isCrowded;
  }

  private hasParsedLong(): boolean {
    const { nowMs } = this.clock;
    if (this.crowdedFromMs === 0) this.crowdedFromMs = nowMs;
    return nowMs - this.crowdedFromMs >= PARSE_MS_PER_TURN;
  }

  /** The connection is read again in one of the next turns. */
  resumeLater(connection: Resumable): void {
    this.resumables.push(connection);
    this.schedule();
  }

  /**
   * The connection, which has brought `bytes` in this turn, is read again once it may go on, or its time is over. Returns
   * when that is, on the monotonic clock.
   */
  resumeAfterYield(connection: Yielding, bytes: number): number {
    const nowMs = this.turnMs;
    const waitMs = Math.min(Math.max(0, this.yieldEndMs - nowMs), YIELD_MS_MAX);
    this.yieldEndMs = nowMs + waitMs + bytes / YIELDING_BYTES_PER_MS;
    this.yielding.push({ connection, untilMs: this.yieldEndMs });
    this.schedule();
    return this.yieldEndMs;
  }

  /** The connection is closed in one of the next turns: thousands may be left by their peers at once. */
  leaveLater(connection: Leaving): void {
    this.leaving.push(connection);
    this.schedule();
  }

  /** When this turn began, on the monotonic clock, in milliseconds. */
  get turnMs(): number {
    return this.clock.monotonicMs;
  }

  private turn(): void {
    this.scheduled = false;
    this.clock.tick();
    this.busyWait.turnBegins();
    this.deliver();
    for (let i = 0; i < this.turnEnders.length; i++) {
      const ender = this.turnEnders[i]!;
      this.guarded(() => ender.endTurn());
    }
    const hasSent = this.outputs.length > 0;
    this.flush();
    this.turnNumber++;
    this.isCrowded = false;
    this.parsedBytes = 0;
    this.crowdedFromMs = 0;
    if (this.yielding.length > 0) this.endYields();
    if (this.resumables.length > 0) this.resumeSome();
    if (this.leaving.length > 0) this.letSomeLeave();
    if (hasSent && !this.scheduled) this.busyWait.turnSent();
  }

  /** Those that have yielded long enough take their place among those that go on. */
  private endYields(): void {
    this.yielding = this.yielding.filter(({ connection, untilMs }) => {
      const isOver = connection.mayGoOn || untilMs <= this.turnMs;
      if (isOver) this.resumables.push(connection);
      else this.alarm.set(untilMs);
      return !isOver;
    });
  }

  /** Of many only so many go on as a turn can serve, those first that waited longest. */
  private resumeSome(): void {
    const count = this.isBehind ? RESUMED_PER_TURN_BEHIND : RESUMED_PER_TURN;
    const resumed = this.resumables.splice(0, count);
    if (this.resumables.length > 0) this.schedule();
    for (const connection of resumed) this.guarded(() => connection.resume());
  }

  /** Closes those first that wait longest; the clock is looked at behind every few. */
  private letSomeLeave(): void {
    const { leaving, clock } = this;
    const fromMs = clock.nowMs;
    let count = 0;
    for (; count < leaving.length; count++) {
      const isLook = count > 0 && count % LEAVING_PER_TURN === 0;
      if (isLook && clock.nowMs - fromMs >= LEAVING_MS_PER_TURN) break;
      const connection = leaving[count]!;
      this.guarded(() => connection.leave());
    }
    this.leaving = leaving.slice(count);
    if (this.leaving.length > 0) this.schedule();
  }

  private deliver(): void {
    const queues = this.queues;
    this.queues = this.otherQueues;
    this.otherQueues = queues;
    let left = DELIVER_BYTES_PER_TURN;
    let i = 0;
    let unlooked = 0;
    for (; i < queues.length && left > 0; i++) {
      if (++unlooked >= QUEUES_PER_LOOK) {
        if (hasDeliveredLong(this.clock)) break;
        unlooked = 0;
      }
      const queue = queues[i]!;
      queue.isMarked = false;
      queue.isBehind = false;
      try {
        left -= deliverReady(queue, this.clock, this.run);
      } catch (error) {
        this.onError(error);
      }
      if (!queue.isBehind) continue;
      this.markQueue(queue);
      unlooked = QUEUES_PER_LOOK;
    }
    this.postpone(queues, i);
    queues.length = 0;
  }

  /** What is left of the marked queues from `first` on comes first in the next turn. */
  private postpone(queues: readonly Queue[], first: number): void {
    this.isBehind = first < queues.length;
    if (!this.isBehind) return;
    for (let i = first; i < queues.length; i++) queues[i]!.isBehind = true;
    this.queues = [...queues.slice(first), ...this.queues];
    this.schedule();
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
