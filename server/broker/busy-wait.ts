/**
 * @hot per turn. Keeps the event loop awake for a moment after it has answered a client that asks again at once.
 *
 * A client that waits for each reply lets the server sleep between two of its requests, and waking a thread takes 10 to
 * 30 us: as long as all the rest. So after a turn that sent something the loop looks at its sockets without sleeping,
 * for as long as such a client takes, and only while it pays: as long as nearly every such turn is followed by a word of
 * somebody it was sent to. A server at rest, one whose clients take longer, and one whose publishers do not wait for
 * anything, sleep as before. Erlang's schedulers wait like this (`+sbwt`), for everybody.
 * Bench: npm run bench -- --rows bind.
 */
import type { Clock } from '../base/clock.ts';

/** Turns in a row that somebody answered, until it pays. */
const PAYS_FROM = 8;
/** More are not counted, ... */
const CREDIT_MAX = 16;
/** ... and one that nobody answered costs as many. */
const MISS_COST = 4;

/** One per reactor. */
export class BusyWait {
  private readonly clock: Clock;
  private readonly waitMs: number;
  /** Answered turns, less what the others cost. */
  private credit: number;
  /** The last turn sent something, ... */
  private expects: boolean;
  /** ... at this time, on the monotonic clock, ... */
  private sentMs: number;
  /** ... and one of those it was sent to has spoken. */
  private isAnswered: boolean;
  private isLooking: boolean;
  private readonly look: () => void;

  /** `waitMs` is how long an answer may take, in milliseconds; 0: the loop always sleeps. */
  constructor(clock: Clock, waitMs: number) {
    this.clock = clock;
    this.waitMs = waitMs;
    this.credit = 0;
    this.expects = false;
    this.sentMs = 0;
    this.isAnswered = false;
    this.isLooking = false;
    this.look = () => this.lookAgain();
  }

  /** Whether the loop is kept awake now. */
  get isAwake(): boolean {
    return this.isLooking;
  }

  /** HOT per read. Somebody has spoken to whom the last turn sent something. */
  answered(): void {
    this.isAnswered = true;
  }

  /** HOT per turn. A turn begins; the clock has just been read. */
  turnBegins(): void {
    if (!this.expects) return;
    this.expects = false;
    const isHit = this.isAnswered && this.clock.monotonicMs - this.sentMs <= this.waitMs;
    this.credit = isHit
      ? Math.min(CREDIT_MAX, this.credit + 1)
      : Math.max(0, this.credit - MISS_COST);
  }

  /** HOT per turn. A turn has sent something, and has left nothing to be done. */
  turnSent(): void {
    if (this.waitMs === 0) return;
    this.expects = true;
    this.isAnswered = false;
    this.sentMs = this.clock.nowMs;
    if (this.isLooking || this.credit < PAYS_FROM) return;
    this.isLooking = true;
    setImmediate(this.look);
  }

  /** Between two looks the loop asks its sockets, without waiting for them. */
  private lookAgain(): void {
    this.isLooking = this.expects && this.clock.nowMs - this.sentMs <= this.waitMs;
    if (this.isLooking) setImmediate(this.look);
  }
}
