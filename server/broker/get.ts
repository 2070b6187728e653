/**
 * basic.get: one message from a queue's head, without a consumer.
 *
 * When the record is not in memory, or may not be delivered before a sync, or others come back that come before it, it
 * is waited for, also while it cannot be read: a message that is there is never answered as none. By then the queue may be empty or gone.
 */
import type { ByteArea } from '../base/byte-area.ts';
import { READ_BYTES_MIN } from '../storage/message-store.ts';
import { NOT_LOADED } from '../storage/queue-index.ts';
import { bodySizeAt } from '../storage/record-format.ts';
import { afterRead, reserveDeliveries } from './deliver.ts';
import type { Queue } from './queue.ts';

/** The message taken: its record at `at` in `area`, borrowed during the call. */
export interface GotMessage {
  readonly area: ByteArea;
  readonly at: number;
  readonly sequence: number;
  readonly position: number;
  readonly bodySize: number;
  readonly redelivered: boolean;
}

/**
 * Takes the first ready message and shows it to `use`, or null when there is none. Called at once when the
 * message is at hand, otherwise later.
 */
export function getMessage(
  queue: Queue,
  nowMs: number,
  use: (message: GotMessage | null) => void,
): void {
  if (queue.isDeleted || queue.readyCount === 0) {
    use(null);
    return;
  }
  const { index, messageStore: store } = queue;
  const retry = () => getMessage(queue, nowMs, use);
  if (queue.awaitsReturn) {
    queue.afterReturn(retry);
    return;
  }
  if (index.peekSequence() > index.deliverableUpTo) {
    reserveDeliveries(queue, nowMs, retry);
    return;
  }
  const position = index.peekPosition();
  if (position === NOT_LOADED) {
    store.loadRow(index, afterRead(queue, retry));
    return;
  }
  const block = store.locate(position);
  if (block === null) {
    store.fetch(position, READ_BYTES_MIN, afterRead(queue, retry));
    return;
  }
  const { area } = block;
  const at = position - block.start;
  const bodySize = bodySizeAt(area.view, at);
  index.take(bodySize);
  const { takenSequence: sequence, takenRedelivered: redelivered } = index;
  use({ area, at, sequence, position, bodySize, redelivered });
}
