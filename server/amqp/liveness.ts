/**
 * Whether a peer is alive, and until when a connection waits for what must come: heartbeats both ways (spec
 * 4.2.7) and deadlines. It owns no timer: the listener asks all connections a few times a second.
 *
 * As in RabbitMQ a heartbeat is due when nothing was sent for half the interval, and a peer is given up
 * when nothing came for two whole ones. All times are monotonic, in milliseconds.
 */

/** What a connection is to do now. */
export type LivenessAction = 'nothing' | 'send-heartbeat' | 'peer-is-gone' | 'deadline-passed';

/** Times of one connection. */
export class Liveness {
  /** Set by whoever receives; cleared by {@link check}. */
  hasReceived: boolean;
  private heartbeatMs: number;
  private lastReceivedMs: number;
  private lastSentMs: number;
  private deadlineMs: number;

  constructor(nowMs: number, deadlineMs: number) {
    this.hasReceived = false;
    this.heartbeatMs = 0;
    this.lastReceivedMs = nowMs;
    this.lastSentMs = nowMs;
    this.deadlineMs = deadlineMs;
  }

  /** The handshake is over: no deadline any more, heartbeats from now on (0: none). */
  begin(heartbeatMs: number): void {
    this.heartbeatMs = heartbeatMs;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** What is awaited now must have come by then; heartbeats no longer count. */
  expectBy(deadlineMs: number): void {
    this.heartbeatMs = 0;
    this.deadlineMs = deadlineMs;
  }

  /** What is awaited must have come by then at the latest; heartbeats no longer count. */
  expectAtLatestBy(deadlineMs: number): void {
    this.expectBy(Math.min(this.deadlineMs, deadlineMs));
  }

  /** The answer to a close is awaited for so long, and no longer than a heartbeat interval. */
  expectCloseWithin(nowMs: number, timeoutMs: number): void {
    const limit = this.heartbeatMs > 0 ? Math.min(this.heartbeatMs, timeoutMs) : timeoutMs;
    this.expectBy(nowMs + limit);
  }

  /** What is to be done. A connection that is not read is not judged by what it receives. */
  check(nowMs: number, hasSent: boolean, isRead: boolean): LivenessAction {
    if (this.hasReceived || !isRead) this.lastReceivedMs = nowMs;
    this.hasReceived = false;
    if (hasSent) this.lastSentMs = nowMs;
    if (nowMs >= this.deadlineMs) return 'deadline-passed';
    if (this.heartbeatMs === 0) return 'nothing';
    if (nowMs - this.lastReceivedMs > 2 * this.heartbeatMs) return 'peer-is-gone';
    return nowMs - this.lastSentMs >= this.heartbeatMs / 2 ? 'send-heartbeat' : 'nothing';
  }
}
