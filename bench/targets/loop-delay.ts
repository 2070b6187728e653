/**
 * Loaded into a server's process before its own code (`node --import`), started with a channel for messages: keeps a
 * histogram of how late the event loop comes, and tells it when asked.
 *
 * Node.js measures by a timer every few milliseconds and records the whole time between two of them.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopDelay } from './target.ts';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

process.on('message', () => {
  const beyond = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  const answer: LoopDelay = { p99Ms: beyond(delay.percentile(99)), maxMs: beyond(delay.max) };
  process.send?.(answer);
  delay.reset();
});
// Nobody is to wait for the channel when the server ends.
process.channel?.unref();
