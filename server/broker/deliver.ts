/**
 * @hot The delivery half of the hot path: from a queue's head to its consumers' channels.
 *
 * Per message: a peek at the index, the record's bytes where they lie, one call to the sink that copies
 * them into the connection's output. No read ever stops the loop: when a record is not in memory, or may not
 * be delivered before a sync, the queue is parked and looks at its state afresh when it wakes.
 * Bench: scenario throughput.
 */

import type { Clock } from '../base/clock.ts';
import { BLOCK_SIZE } from '../storage/memory-block.ts';
import { READ_BYTES_MIN } from '../storage/message-store.ts';
import { NOT_LOADED, type QueueIndex } from '../storage/queue-index.ts';
import {
  bodySizeAt,
  MESSAGE_HEAD_SIZE,
  messageSizeAt,
  SETTLE_REASONS,
} from '../storage/record-format.ts';
import type { Consumer } from './consumer.ts';
import type { DeliveryRun } from './delivery-run.ts';
import type { Queue } from './queue.ts';

/** A queue delivers at most this many bytes of records in a turn; then the others have theirs. */
const DELIVER_BYTES_PER_TURN = 1024 * 1024;
/** ... and goes on for at most so long in a turn: as fast as code that is not compiled yet, or a slow core, allows. */
const DELIVER_MS_PER_TURN = 4;
/**
 * ... but not before this many bytes went, which is more than one read of a publisher brings: or it would run away. It is
 * also worth a block that has to be read for the queue (`npm run bench:storage -- --rows drain`).
 */
const DELIVER_BYTES_MIN = 256 * 1024;
/** Deliveries between two looks at the clock; a power of two. */
const DELIVERIES_PER_LOOK = 256;
/** Deliveries that are reserved at first, and at least. */
const RESERVATION_MIN = 1024;
/** A reservation covers what the queue passed on in this time at its last rate. */
const RESERVATION_MS = 2000;
/** ... but at most this many times what the last reservation was used for. */
const RESERVATION_GROWTH = 8;

/** Consumers who share a run in rounds, at most; ... */
const TAKERS_MAX = 16;
/** ... rounds that are worth it; ... */
const ROUNDS_MIN = 4;
/** ... and bytes of records of a run of theirs: what one gets of a round it gets whether or not its peer takes it. */
const SHARED_BYTES_MAX = 64 * 1024;

/** A read that failed is tried again after this long: the message stays where it is. */
const READ_RETRY_MS = 1000;

/**
 * Delivers until no message or no willing consumer is left, or the queue's share of the turn is used up, or the turn has
 * lasted long enough: then it is behind. Returns the bytes of the records delivered. `run` is used during the call alone.
 */
export function deliverReady(queue: Queue, clock: Clock, run: DeliveryRun): number {
  if (queue.isParked || queue.isDeleted || queue.awaitsReturn) return 0;
  const nowMs = clock.monotonicMs;
  const bytes = deliverShare(queue, clock, run);
  if (bytes > 0) queue.servedMs = nowMs;
  const { index } = queue;
  const half = (index.deliverableUpTo - index.reservedAtSequence) / 2;
  if (index.takenSequence > index.deliverableUpTo - half) reserve(queue, nowMs);
  return bytes;
}

function deliverShare(queue: Queue, clock: Clock, run: DeliveryRun): number {
  const { index, messageStore: store } = queue;
  const { monotonicMs: nowMs } = clock;
  let bytes = 0;
  /** Deliveries since the last look at the clock; zero asks for one. */
  let unlooked = 1;
  let firstLookMs = -1;
  while (index.readyCount > 0) {
    queue.isBehind = bytes >= DELIVER_BYTES_PER_TURN;
    if ((unlooked & (DELIVERIES_PER_LOOK - 1)) === 0) {
      if (bytes >= DELIVER_BYTES_MIN) queue.isBehind ||= hasDeliveredLong(clock);
      else if (firstLookMs < 0) firstLookMs = clock.nowMs;
      // So slow is code that is not compiled yet: it need not go on once as much went as has come.
      else if (index.readyCount <= index.readyLeft) {
        queue.isBehind = clock.nowMs - firstLookMs >= DELIVER_MS_PER_TURN;
      }
    }
    if (queue.isBehind) break;
    const consumer = queue.consumers.nextWilling();
    if (consumer === null) break;
    if (index.peekSequence() > index.deliverableUpTo) {
      parkForReservation(queue, nowMs);
      break;
    }
    const position = index.peekPosition();
    if (position === NOT_LOADED) {
      parkForRow(queue);
      break;
    }
    let block = queue.block;
    if (block === null || !block.holds(position)) {
      block = store.locate(position);
      if (block === null) {
        parkForRead(queue, position);
        break;
      }
      queue.block = block;
      store.readAhead(block);
    }
    const { area } = block;
    const at = position - block.start;
    const size = at + MESSAGE_HEAD_SIZE <= block.used ? messageSizeAt(area.view, at) : BLOCK_SIZE;
    if (at + size > block.used) {
      // The record runs past the block that was read: another one has it whole, or is read now.
      queue.block = store.locate(position);
      if (queue.block === null) {
        parkForRead(queue, position);
        break;
      }
      store.readAhead(queue.block);
      continue;
    }
    const length = queue.consumers.haveOneAckMode ? runLength(index) : 0;
    if (length > 1) {
      const bytesMax = queue.consumers.count === 1 ? DELIVER_BYTES_PER_TURN : SHARED_BYTES_MAX;
      run.find(index, block, length, Math.min(bytesMax, DELIVER_BYTES_PER_TURN - bytes));
      if (run.length > 1) {
        bytes += deliverRun(queue, consumer, run);
        unlooked = 0;
        continue;
      }
    }
    unlooked++;
    bytes += size;
    const bodySize = bodySizeAt(area.view, at);
    index.take(bodySize);
    const sequence = index.takenSequence;
    consumer.sink.deliver(consumer, area, at, sequence, position, index.takenRedelivered);
    if (consumer.noAck) store.settle(index, sequence, position, bodySize, SETTLE_REASONS.acked);
  }
  index.readyLeft = index.readyCount;
  return bytes;
}

/** Whether this turn has delivered for long enough, whichever queues. */
export function hasDeliveredLong(clock: Clock): boolean {
  return clock.nowMs - clock.monotonicMs >= DELIVER_MS_PER_TURN;
}

/** Messages that may be delivered in a run; 0 where the next one goes by itself. */
function runLength(index: QueueIndex): number {
  return Math.min(index.runLength, index.deliverableUpTo - index.peekSequence() + 1);
}

/**
 * HOT per delivery. Delivers the messages of a run, the first of them to `first`; what must be told of them is told once
 * for all. Returns the bytes of their records.
 */
function deliverRun(queue: Queue, first: Consumer, run: DeliveryRun): number {
  const { index, consumers } = queue;
  const rounds = consumers.count === 1 ? 0 : findRounds(queue, first, run);
  if (rounds > 0) {
    deliverRounds(queue, rounds, run);
    return run.bytes;
  }
  try {
    if (consumers.count === 1) first.sink.deliverRun(first, run);
    else deliverInTurn(queue, first, run);
  } finally {
    const { delivered, bodyBytes } = run;
    if (delivered > 0) index.takeRun(delivered, bodyBytes);
    if (delivered > 0 && first.noAck) settle(queue, run, 0, delivered, bodyBytes);
  }
  return run.bytes;
}

/** HOT per run. `count` messages of a run from its message `at` on are gone. */
function settle(queue: Queue, run: DeliveryRun, at: number, count: number, bytes: number): void {
  queue.settleRun(run.sequence + at, count, run.positions, run.from + at, bytes, true);
}

/**
 * HOT per run. Finds the takers of a run, and how many rounds of them are served together, each with all it gets: 0 where
 * they are served one message at a time.
 */
function findRounds(queue: Queue, first: Consumer, run: DeliveryRun): number {
  const { takers } = run;
  takers.length = 0;
  // The last of them may be a large one.
  if (run.foundBytes > 2 * SHARED_BYTES_MAX) return 0;
  queue.consumers.findTakers(first, takers, TAKERS_MAX);
  if (takers.length === 0) return 0;
  let rounds = Math.trunc(run.length / takers.length);
  for (let i = 0; i < takers.length && rounds >= ROUNDS_MIN; i++) {
    const consumer = takers[i]!;
    const { sink } = consumer;
    rounds = Math.min(rounds, consumer.credit, sink.credit);
    // A channel with several consumers gets its messages in the order of the queue.
    for (let other = 0; other < i; other++) if (takers[other]!.sink === sink) return 0;
  }
  return rounds < ROUNDS_MIN ? 0 : rounds;
}

/**
 * HOT per delivery. The first messages of a run, `rounds` for each of its takers: as if one after the other were sent to
 * the next in turn. What one of them fails to send is back in the queue.
 *
 * @throws what one of them threw
 */
function deliverRounds(queue: Queue, rounds: number, run: DeliveryRun): void {
  const { index, consumers } = queue;
  const { takers } = run;
  const first = takers[0]!;
  const { length } = takers;
  const failures: unknown[] = [];
  const unsent = new Set<number>();
  for (let i = 0; i < length; i++) {
    const consumer = takers[i]!;
    const part = run.partOf(i, length, rounds);
    try {
      consumer.sink.deliverRun(consumer, part);
    } catch (error) {
      failures.push(error);
    }
    for (let sent = part.delivered; sent < rounds; sent++) unsent.add(sent * length + i);
  }
  consumers.wasServed(takers[length - 1]!);
  takers.length = 0;
  run.delivered = rounds * length;
  const { delivered, bodyBytes } = run;
  index.takeRun(delivered, bodyBytes);
  if (unsent.size > 0) takeBack(queue, run, unsent, first.noAck);
  else if (first.noAck) settle(queue, run, 0, delivered, bodyBytes);
  if (failures.length > 0) throw failures[0];
}

/** Of a run that was taken some messages are back in the queue; the others are gone where no ack is awaited. */
function takeBack(queue: Queue, run: DeliveryRun, unsent: ReadonlySet<number>, noAck: boolean) {
  const entries: number[] = [];
  for (let i = 0; i < run.delivered; i++) {
    const bodySize = run.bodySizes[i]!;
    if (unsent.has(i)) entries.push(run.sequenceOf(i), run.positionOf(i), bodySize);
    else if (noAck) settle(queue, run, i, 1, bodySize);
  }
  queue.requeue(entries);
}

/** HOT per delivery. The messages of a run, each to the next consumer in turn. */
function deliverInTurn(queue: Queue, first: Consumer, run: DeliveryRun): void {
  let consumer: Consumer | null = first;
  while (consumer !== null && run.delivered < run.length) {
    run.deliverNext(consumer);
    if (run.delivered < run.length) consumer = queue.consumers.nextWilling();
  }
}

/**
 * Parks the queue until the record at `position` has been read. Reads that follow each other are long ones, unless
 * the last one's memory was needed for others before it was used up: there are so many readers.
 */
function parkForRead(queue: Queue, position: number): void {
  const { block, readFrom } = queue;
  const follows = position > readFrom && position - readFrom < 2 * BLOCK_SIZE;
  const wasTaken = block !== null && block.start < 0;
  const length = follows && !wasTaken ? BLOCK_SIZE : READ_BYTES_MIN;
  queue.readFrom = position;
  queue.block = null;
  queue.messageStore.fetch(position, length, parkUntilRead(queue));
}

/** Parks the queue until the row of its index that comes next has been read. */
function parkForRow(queue: Queue): void {
  queue.messageStore.loadRow(queue.index, parkUntilRead(queue));
}

/** Parks the queue; what is returned is called when the read has ended, and wakes it. */
function parkUntilRead(queue: Queue): (error: Error | null) => void {
  queue.isParked = true;
  return afterRead(queue, () => {
    queue.isParked = false;
    queue.wake();
  });
}

/** Called with the outcome of a read, goes on at once, or after a while when it failed. */
export function afterRead(queue: Queue, goOn: () => void): (error: Error | null) => void {
  return (error) => {
    if (error === null) {
      goOn();
      return;
    }
    queue.readFailed(error);
    setTimeout(goOn, READ_RETRY_MS).unref();
  };
}

/**
 * Asks the log for more numbers that may be delivered; `onReserved` is called when the first message of the
 * queue may be.
 */
export function reserveDeliveries(queue: Queue, nowMs: number, onReserved: () => void): void {
  const { index, messageStore: store } = queue;
  reserve(queue, nowMs);
  const needed = index.peekSequence();
  store.log.waitForAll({
    durableAdvanced() {
      if (index.deliverableUpTo >= needed) onReserved();
      else if (index.reservedUpTo > index.deliverableUpTo) return false;
      // What was under way was asked for before a purge, and ends before what has come since.
      else reserveDeliveries(queue, nowMs, onReserved);
      return true;
    },
  });
}

/** Asks the log for more numbers that may be delivered, unless it has been asked. */
function reserve(queue: Queue, nowMs: number): void {
  const { index, messageStore: store } = queue;
  if (index.reservedUpTo > index.deliverableUpTo) return;
  const last = Math.max(index.takenSequence, index.peekSequence());
  // Nothing is known of the rate before the first reservation, least of all after a restart, when the numbers
  // begin behind all that the last run had reserved.
  const passed = index.reservedAtMs === 0 ? 0 : last - index.reservedAtSequence;
  const rate = passed / Math.max(1, nowMs - index.reservedAtMs);
  const wanted = Math.min(Math.ceil(rate * RESERVATION_MS), RESERVATION_GROWTH * passed);
  const upTo = Math.max(last, index.deliverableUpTo) + Math.max(RESERVATION_MIN, wanted);
  index.reservedAtMs = nowMs;
  index.reservedAtSequence = last;
  index.reservedUpTo = upTo;
  const position = store.log.reserveDeliveries(index, upTo);
  store.log.waitForAll({
    durableAdvanced() {
      if (store.log.durableUpTo <= position) return false;
      index.deliverableUpTo = upTo;
      return true;
    },
  });
}

function parkForReservation(queue: Queue, nowMs: number): void {
  queue.isParked = true;
  reserveDeliveries(queue, nowMs, () => {
    queue.isParked = false;
    queue.wake();
  });
}
