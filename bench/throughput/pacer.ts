/**
 * Wakes those who keep to a schedule, to some microseconds.
 *
 * A timer of Node is late by up to a millisecond, which would be most of what is measured of a fast broker. So the
 * last two milliseconds of a wait are spent turning the event loop: precise, and sockets are still read meanwhile,
 * but a core looks busy. How much of it was only that is counted, for the generator's share of CPU.
 */
import { performance } from 'node:perf_hooks';

const TURNING_MS = 2;
/** A turn of the loop that does nothing takes less; a longer one has read or written something. */
const IDLE_TURN_MAX_MS = 0.02;

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** One for a run. */
export class Pacer {
  /** Time spent in turns in which nothing was due and nothing else happened, so far. */
  idleMs: number;
  private sleepers: Sleeper[];
  /** Of the sleepers; Infinity: there are none. */
  private nextDueMs: number;
  private timer: NodeJS.Timeout | null;
  private immediate: NodeJS.Immediate | null;
  private lastTurnMs: number;
  private readonly onTurn: () => void;

  constructor() {
    this.idleMs = 0;
    this.sleepers = [];
    this.nextDueMs = Number.POSITIVE_INFINITY;
    this.timer = null;
    this.immediate = null;
    this.lastTurnMs = 0;
    this.onTurn = () => this.turn();
  }

  /** Calls `wake` once, when `dueUs` has come (the clock of `performance.now()`, in microseconds). */
  wakeAt(dueUs: number, wake: () => void): void {
    const dueMs = dueUs / 1000;
    this.sleepers.push({ dueMs, wake });
    if (dueMs >= this.nextDueMs) return;
    this.nextDueMs = dueMs;
    this.arrange(performance.now());
  }

  /** Wakes nobody any more. */
  stop(): void {
    this.sleepers = [];
    this.nextDueMs = Number.POSITIVE_INFINITY;
    this.disarm();
  }

  /** Runs some hundred thousand times a second: a turn in which nothing is due makes no garbage. */
  private turn(): void {
    this.timer = null;
    this.immediate = null;
    const nowMs = performance.now();
    if (nowMs < this.nextDueMs) {
      const turnMs = nowMs - this.lastTurnMs;
      if (turnMs < IDLE_TURN_MAX_MS) this.idleMs += turnMs;
    } else {
      this.wakeDue(nowMs);
    }
    this.arrange(nowMs);
  }

  private wakeDue(nowMs: number): void {
    const due = this.sleepers
      .filter(({ dueMs }) => dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs);
    this.sleepers = this.sleepers.filter(({ dueMs }) => dueMs > nowMs);
    this.nextDueMs = Math.min(...this.sleepers.map(({ dueMs }) => dueMs));
    for (const { wake } of due) wake();
  }

  private arrange(nowMs: number): void {
    this.disarm();
    if (this.sleepers.length === 0) return;
    const waitMs = this.nextDueMs - nowMs;
    this.lastTurnMs = nowMs;
    if (waitMs > TURNING_MS) this.timer = setTimeout(this.onTurn, waitMs - TURNING_MS);
    else this.immediate = setImmediate(this.onTurn);
  }

  private disarm(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.timer = null;
    this.immediate = null;
  }
}
