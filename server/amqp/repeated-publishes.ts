/**
 * @hot The publishes behind one that repeat it: octet by octet but for their bodies and what tells a body's size.
 *
 *     method frame, all of it | header frame: .. weight, 0 [body size] properties CE | 03 channel [size] body CE
 *     \______________ same ______________________________/             \____ same ____________/
 *
 * So exchange, routing key and properties need no second look. Bench: scenario throughput.
 */
import { FRAME_END, FRAME_HEADER_SIZE } from '../../generated/index.ts';
import { areDoubles, equalBytes, equalDoubles } from '../base/byte-area.ts';
import type { MessageRun } from '../storage/message-run.ts';
import type { MessageParts } from '../storage/record-format.ts';

/** Of body sizes the lower half: the upper is 0. */
const SIZE_BYTES = 4;
/** Type and channel of a frame. */
const FRAME_KIND_BYTES = FRAME_HEADER_SIZE - SIZE_BYTES;

/**
 * HOT per publish. Makes `run` of the publishes that follow in the same memory and repeat `first`: that has a body, its
 * frames lie side by side from `at` to `next`, and all has been found right.
 *
 * @returns the offset behind the last one, before `limit`; `next` when there is none
 */
export function findRepeats(
  first: MessageParts,
  at: number,
  next: number,
  limit: number,
  bodySizeMax: number,
  run: MessageRun,
): number {
  const area = first.head;
  const { propertiesAt, propertiesSize } = first;
  const beforeSize = propertiesAt - SIZE_BYTES - at;
  const behindSize = propertiesSize + 1 + FRAME_KIND_BYTES;
  const propertiesFrom = beforeSize + SIZE_BYTES;
  const bodyFrom = propertiesFrom + behindSize + SIZE_BYTES;
  const { view } = area;
  let p = next;
  let byDoubles = false;
  run.clear();
  while (p + bodyFrom < limit) {
    const isRepeat = byDoubles
      ? equalDoubles(area, at, area, p, beforeSize)
      : equalBytes(area, at, area, p, beforeSize);
    if (!isRepeat) break;
    if (!equalBytes(area, propertiesAt, area, p + propertiesFrom, behindSize)) break;
    const bodySize = view.getUint32(p + beforeSize);
    const bodyAt = p + bodyFrom;
    const bodyEnd = bodyAt + bodySize;
    if (bodySize > bodySizeMax || view.getUint32(bodyAt - SIZE_BYTES) !== bodySize) break;
    if (bodySize === 0 || bodyEnd >= limit || view.getUint8(bodyEnd) !== FRAME_END) break;
    if (run.count === 0) {
      if (!run.begin(first)) break;
      byDoubles = areDoubles(area, at, beforeSize);
    }
    p = bodyEnd + 1;
    if (run.add(bodyAt, bodySize)) break;
  }
  return p;
}
