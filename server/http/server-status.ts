/** What the HTTP side may know of the server; the launcher implements it. */
import type { ListenerAddress } from '../base/listen-on-addresses.ts';
import type { LoopDelays } from '../telemetry/loop-delay.ts';

/** Whether the server does its work. */
export type Health = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** The server as its pages see it. */
export interface ServerStatus {
  /** All listeners that accept connections, of every protocol. */
  listeners(): readonly ListenerAddress[];
  health(): Health;
  /** Why publishers are blocked, as RabbitMQ puts it; empty when they are not. */
  alarm(): string;
  /** How long the server lets others wait while it is busy with one thing. */
  loopDelays(): LoopDelays;
}
