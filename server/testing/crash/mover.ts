/**
 * Enters messages that the broker has into other queues by reference, or moves them there, as a dead-lettered or
 * delayed message will be one day: by the calls that the broker itself has for it, without a client.
 *
 * It looks which message a queue has first by its body, so it depends on nothing that the model knows.
 */
import { join } from 'node:path';
import type { Queue } from '../../broker/queue.ts';
import { LARGE_FOLDER, LARGE_HEADER_SIZE, largeFileName } from '../../storage/large-file-format.ts';
import { READ_BYTES_MIN } from '../../storage/message-store.ts';
import { TRANSIENT_POSITION_FIRST } from '../../storage/position.ts';
import { NOT_LOADED } from '../../storage/queue-index.ts';
import {
  bodySizeAt,
  ENQUEUE_RECORD_SIZE,
  messageSizeAt,
  SETTLE_REASONS,
  sizeOfSettle,
} from '../../storage/record-format.ts';
import { RouteSet } from '../../storage/route-set.ts';
import { idOfBody } from './body.ts';
import type { Machine } from './machine.ts';
import type { ModelQueue } from './model.ts';
import type { Recorder } from './recorder.ts';
import type { TxNumbers } from './transactor.ts';

/** A message that is first in its queue. */
interface FirstMessage {
  readonly id: number;
  readonly position: number;
  readonly bodySize: number;
  /** The file of its body, or 0. */
  readonly file: number;
}

/** Refers to messages. */
export class CrashMover {
  private readonly machine: Machine;
  private readonly recorder: Recorder;
  private readonly numbers: TxNumbers;

  constructor(machine: Machine, recorder: Recorder, numbers: TxNumbers) {
    this.machine = machine;
    this.recorder = recorder;
    this.numbers = numbers;
  }

  /**
   * Enters the first message of a queue into those of `targets` that may have it, in one batch with its end in
   * its own queue when it is to be moved. Does nothing when it is not at hand.
   */
  refer(from: ModelQueue, targets: readonly ModelQueue[], isMoved: boolean): void {
    const source = this.queue(from.name);
    const first = source === null ? null : this.firstOf(source);
    if (source === null || first === null || !this.isKnown(first.id)) return;
    const isTransient = first.position >= TRANSIENT_POSITION_FIRST;
    const chosen = targets.filter(
      ({ durable, name }) => !(durable && isTransient) && !this.hadCopy(name, first.id),
    );
    const queues = chosen.map(({ name }) => this.queue(name)).filter((queue) => queue !== null);
    if (queues.length === 0) return;
    const question = this.recorder.question();
    this.recorder.add({
      type: 'refer',
      question,
      tx: this.numbers.next++,
      id: first.id,
      queueKeys: chosen.map(({ key }) => key),
      source: isMoved ? { queueKey: from.key, id: first.id } : null,
    });
    this.carryOut(first, queues, isMoved ? source : null);
    this.answerWhenDurable(question);
  }

  private queue(name: string): Queue | null {
    return this.machine.vhost.queues.get(name) ?? null;
  }

  /** What its publisher does not know to be read may go elsewhere yet, as far as the model knows. */
  private isKnown(id: number): boolean {
    const message = this.recorder.model.findMessage(id);
    return message === null || message.isRead || message.isConfirmed;
  }

  /** Whether a queue of this name ever had the message: what is found after a crash could not be told apart. */
  private hadCopy(name: string, id: number): boolean {
    const message = this.recorder.model.findMessage(id);
    return message?.copies.some(({ queue }) => queue.name === name) === true;
  }

  private firstOf({ index, messageStore: store }: Queue): FirstMessage | null {
    if (index.readyCount === 0) return null;
    const position = index.peekPosition();
    if (position === NOT_LOADED) return null;
    const file = index.large?.get(index.peekSequence()) ?? 0;
    if (file > 0) return this.largeMessage(position, file);
    const block = store.locate(position);
    if (block === null) {
      // The next look may find it.
      store.fetch(position, READ_BYTES_MIN, () => {});
      return null;
    }
    const at = position - block.start;
    const { view, buf } = block.area;
    const end = at + messageSizeAt(view, at);
    const bodySize = bodySizeAt(view, at);
    return this.message(position, buf.subarray(end - bodySize, end), 0);
  }

  private largeMessage(position: number, file: number): FirstMessage | null {
    const path = join(this.machine.vhostDirectory, LARGE_FOLDER, largeFileName(file));
    const body = this.machine.fs.peek(path, LARGE_HEADER_SIZE, Number.POSITIVE_INFINITY);
    if (body !== null) return this.message(position, body, file);
    this.recorder.blame(`${path} is not there, though a message waits`);
    return null;
  }

  private message(position: number, body: Buffer, file: number): FirstMessage | null {
    const id = idOfBody(body);
    if (id !== null) return { id, position, bodySize: body.length, file };
    this.recorder.blame(`the broker has a wrong body at ${position}`);
    return null;
  }

  private carryOut(first: FirstMessage, queues: readonly Queue[], leaves: Queue | null): void {
    const { position, bodySize, file } = first;
    const { store } = this.machine.vhost;
    const set = new RouteSet(queues.map(({ index }) => index));
    store.log.beginAtomic(ENQUEUE_RECORD_SIZE + sizeOfSettle(1), set.footerSizeMax);
    store.enqueue(position, bodySize, set, file);
    for (const queue of queues) {
      queue.enqueue(position, bodySize);
      if (file > 0) store.largeFiles.enter(queue.index, file);
    }
    if (leaves !== null) {
      const { index } = leaves;
      index.take(bodySize);
      store.settle(index, index.takenSequence, position, bodySize, SETTLE_REASONS.deadLettered);
    }
    store.log.endAtomic();
  }

  private answerWhenDurable(question: number): void {
    const { log } = this.machine.vhost.store;
    const { end } = log;
    log.waitForAll({
      durableAdvanced: () => {
        if (log.durableUpTo < end) return false;
        this.recorder.add({ type: 'answer', question });
        return true;
      },
    });
  }
}
