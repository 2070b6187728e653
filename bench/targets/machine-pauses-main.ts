/**
 * A process that is kept to one core and sleeps, a millisecond at a time: when the machine wakes it late, although
 * nobody else had the processor, the machine itself stood still. A virtual one does, for ten milliseconds and more, and
 * counts it for whoever runs. Tells such pauses, when asked over its channel, and ends with it.
 */
import type { MachinePause } from './target.ts';
import { machineMs, queuedMs } from './thread-queue.ts';

const LOOK_INTERVAL_MS = 1;
/** A timer of Node.js may be a millisecond late by itself. */
const PAUSE_MS_MIN = 2;

let pauses: MachinePause[] = [];
let atMs = machineMs();
let queued = queuedMs();

setInterval(() => {
  const dueMs = atMs + LOOK_INTERVAL_MS;
  const waitedMs = queuedMs() - queued;
  atMs = machineMs();
  queued += waitedMs;
  if (atMs - dueMs - waitedMs >= PAUSE_MS_MIN) pauses.push({ fromMs: dueMs, toMs: atMs });
}, LOOK_INTERVAL_MS);

process.on('message', () => {
  process.send?.(pauses);
  pauses = [];
});
process.on('disconnect', () => process.exit());
console.log('watching');
