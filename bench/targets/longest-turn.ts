/**
 * Loaded into a server's process before its own code (`node --import`), started with a channel for messages: keeps how
 * long the turns of its event loop are, and tells it when asked.
 *
 * A timer of one millisecond looks at what was between two of its calls. A turn is the time in which the loop was
 * active ({@link performance.eventLoopUtilization}), running or waiting for a call of the kernel's to return. It is none
 * when the loop slept in `poll`, nor when its thread was ready to run and another one had the processor. What was waited
 * for a processor is taken for part of the sleep as far as that was long enough. Several short turns within a
 * millisecond count as one.
 */
import { performance } from 'node:perf_hooks';
import type { WatchedTurns } from './target.ts';
import { machineMs, queuedMs } from './thread-queue.ts';

const LOOK_INTERVAL_MS = 1;
/** Longer ones are told one by one. */
const LONG_TURN_MS = 4;

interface Moment {
  readonly atMs: number;
  readonly activeMs: number;
  readonly idleMs: number;
  readonly queuedMs: number;
}

let watched: WatchedTurns = begin();
let last = now();

function begin(): WatchedTurns {
  return { shortMs: 0, lateMs: 0, long: [] };
}

function now(): Moment {
  const { active, idle } = performance.eventLoopUtilization();
  return { atMs: machineMs(), activeMs: active, idleMs: idle, queuedMs: queuedMs() };
}

function look(): void {
  const before = last;
  last = now();
  const idleMs = last.idleMs - before.idleMs;
  const queued = Math.max(0, last.queuedMs - before.queuedMs - idleMs);
  const turnMs = last.activeMs - before.activeMs - queued;
  watched.lateMs = Math.max(watched.lateMs, last.atMs - before.atMs - LOOK_INTERVAL_MS);
  if (turnMs <= LONG_TURN_MS) watched.shortMs = Math.max(watched.shortMs, turnMs);
  else watched.long.push({ fromMs: before.atMs, toMs: last.atMs, turnMs });
}

setInterval(look, LOOK_INTERVAL_MS).unref();

process.on('message', () => {
  // The question may come before the timer's turn.
  look();
  process.send?.(watched);
  watched = begin();
});
// Nobody is to wait for the channel when the server ends.
process.channel?.unref();
