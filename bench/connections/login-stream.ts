/** Clients that log in at a steady rate, each of which is gone as soon as it is served. */
import { performance } from 'node:perf_hooks';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { Schedule } from '../throughput/schedule.ts';
import { openAtOnce } from './open-at-once.ts';

/** Those that are due come one after the other, not in a crowd. */
const TICK_MS = 1;
const LIMIT_MS = 10_000;

/** What came of it. */
export interface LoginCount {
  readonly served: number;
  readonly seconds: number;
}

/** A stream of logins. */
export class LoginStream {
  private readonly uri: AmqpUri;
  private readonly schedule: Schedule;
  private readonly startMs: number;
  private readonly timer: NodeJS.Timeout;
  private readonly pending: Set<Promise<void>>;
  private readonly failures: string[];
  private begun: number;
  private served: number;

  private constructor(uri: AmqpUri, perSecond: number) {
    this.uri = uri;
    this.schedule = new Schedule(perSecond);
    this.startMs = performance.now();
    this.schedule.start(this.startMs * 1000);
    this.timer = setInterval(() => this.logInThoseDue(), TICK_MS);
    this.pending = new Set();
    this.failures = [];
    this.begun = 0;
    this.served = 0;
  }

  /** Begins at once, and goes on until {@link stop}. */
  static start(uri: AmqpUri, perSecond: number): LoginStream {
    return new LoginStream(uri, perSecond);
  }

  /**
   * Resolves when the last of them is gone.
   *
   * @throws Error when one was not served.
   */
  async stop(): Promise<LoginCount> {
    clearInterval(this.timer);
    await Promise.all(this.pending);
    const [failure] = this.failures;
    if (failure !== undefined) throw new Error(`a login failed: ${failure}`);
    return { served: this.served, seconds: (performance.now() - this.startMs) / 1000 };
  }

  private logInThoseDue(): void {
    const due = this.schedule.dueCount(performance.now() * 1000);
    const count = due - this.begun;
    if (count === 0) return;
    this.begun = due;
    const login = this.logIn(count);
    this.pending.add(login);
    void login.finally(() => this.pending.delete(login));
  }

  private async logIn(count: number): Promise<void> {
    const opened = await openAtOnce({ uri: this.uri, count, limitMs: LIMIT_MS });
    this.served += opened.servedMs.length;
    this.failures.push(...opened.failures);
    await opened.close();
  }
}
