/**
 * Time that a test moves: while it is installed, timers, `Date.now` and `performance.now` of this process follow
 * it alone. `setImmediate` stays real, since a turn of the event loop takes no time.
 */

type Callback = (...args: unknown[]) => void;

/** What code does with a timer besides clearing it. */
class VirtualTimer {
  readonly run: () => void;
  readonly intervalMs: number | null;
  dueMs: number;

  constructor(run: () => void, dueMs: number, intervalMs: number | null) {
    this.run = run;
    this.dueMs = dueMs;
    this.intervalMs = intervalMs;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** One stream of time; only one may be installed. */
export class VirtualTime {
  /** Milliseconds since it began. */
  nowMs: number;
  private readonly startWallMs: number;
  private timers: VirtualTimer[];
  private restore: (() => void) | null;

  constructor(startWallMs: number = 1_700_000_000_000) {
    this.nowMs = 1000;
    this.startWallMs = startWallMs;
    this.timers = [];
    this.restore = null;
  }

  /** Takes the place of real time until {@link uninstall}. */
  install(): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
    const dateNow = Date.now;
    const hadOwnNow = Object.hasOwn(performance, 'now');
    const performanceNow = performance.now;
    const clear = (timer: unknown): void => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
    Object.assign(globalThis, {
      setTimeout: (run: Callback, ms = 0, ...args: unknown[]) =>
        this.add(() => run(...args), ms, null),
      setInterval: (run: Callback, ms = 1, ...args: unknown[]) =>
        this.add(() => run(...args), ms, Math.max(1, ms)),
      clearTimeout: clear,
      clearInterval: clear,
    });
    Date.now = () => this.startWallMs + this.nowMs;
    performance.now = () => this.nowMs;
    this.restore = () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
      Date.now = dateNow;
      if (hadOwnNow) performance.now = performanceNow;
      else Reflect.deleteProperty(performance, 'now');
    };
  }

  uninstall(): void {
    this.restore?.();
    this.restore = null;
  }

  /** Forgets all timers: whoever set them is gone. */
  clear(): void {
    this.timers = [];
  }

  /** Moves on, and calls what falls due on the way at its time. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      let next: VirtualTimer | null = null;
      for (const timer of this.timers) {
        if (timer.dueMs <= endMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
      }
      if (next === null) break;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      if (next.intervalMs === null) this.timers.splice(this.timers.indexOf(next), 1);
      else next.dueMs += next.intervalMs;
      next.run();
    }
    this.nowMs = endMs;
  }

  private add(run: () => void, ms: number, intervalMs: number | null): VirtualTimer {
    const timer = new VirtualTimer(run, this.nowMs + Math.max(0, ms), intervalMs);
    this.timers.push(timer);
    return timer;
  }
}
