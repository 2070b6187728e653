/**
 * @hot The records of the log, byte by byte. All integers are big-endian, as on the wire.
 *
 * A message (also what a transient block holds):
 *
 *     0       1   2         4           8                          12
 *     +------+---+---------+-----------+--------------------------+--------------+
 *     | kind | 0 | set     | body size | properties size << 10    | milliseconds |
 *     |  1   |   |         |           |       | envelope size    |              |
 *     +------+---+---------+-----------+--------------------------+--------------+
 *     16
 *     +--------------------------------------+----------------------+------+
 *     | envelope: exchange, routing key      | flags and properties | body |
 *     | (two short strings, as on the wire)  | (as on the wire)     |      |
 *     +--------------------------------------+----------------------+------+
 *
 * `set` is the index of the batch's route set: which queues get the message. The milliseconds count from the
 * creation of the segment (transient lane: 0). Envelope and properties are the publisher's own bytes,
 * so a delivery copies them without looking inside.
 *
 * A large message (kind 2) is laid out the same way. Its body lies in a file of its own (large-files.ts), and
 * what stands in the record in place of the body is a reference of 24 bytes:
 *
 *     file number f64, size of the real body f64, crc32 of the real body u32, 0 u32
 *
 * The others (f64 is a double; a range is two f64, both ends included):
 *
 *     settle       kind 3, reason u8, 0 u16, range count u32, queue f64, bytes f64, ranges
 *     requeue      kind 4, 0 u8, 0 u16, count u32, queue f64, count x (sequence f64, delivery count u32)
 *     deliverable  kind 5, 0 u8, 0 u16, 0 u32, queue f64, sequence f64
 *     purge        kind 6, 0 u8, 0 u16, kept count u32, queue f64, up to f64, kept bytes f64,
 *                  ranges kept (unacked)
 *     definition   kind 7, action u8, 0 u16, frame size u32, queue f64 (0: none), AMQP frame
 *     enqueue      kind 8, 0 u8, set u16, body size u32, position f64, large file f64 (0: none)
 *
 * What a record means to its queue is decided in recovery.ts.
 */
import { ByteArea, copyBytes } from '../base/byte-area.ts';

export const RECORD_MESSAGE: number = 1;
/** A message whose body lies in a file of its own. */
export const RECORD_LARGE_MESSAGE: number = 2;
export const RECORD_SETTLE: number = 3;
export const RECORD_REQUEUE: number = 4;
export const RECORD_DELIVERABLE: number = 5;
export const RECORD_PURGE: number = 6;
export const RECORD_DEFINITION: number = 7;
export const RECORD_ENQUEUE: number = 8;

/** Why messages left their queue for good (the reason octet of a settle record). */
export const SETTLE_REASONS = { acked: 0, expired: 1, dropped: 2, deadLettered: 3 } as const;

/** What a definition record does with its queue number. */
export const DEFINITION_ACTIONS = { declare: 0, deleteQueue: 1 } as const;

export const MESSAGE_HEAD_SIZE: number = 16;
const OPERATION_HEAD_SIZE = 16;
const RANGE_SIZE = 16;
const REQUEUE_ENTRY_SIZE = 12;
const ENQUEUE_SIZE = 24;
/** Envelope sizes take ten bits: two short strings of at most 256 bytes each. */
const ENVELOPE_BITS = 10;
const ENVELOPE_MASK = (1 << ENVELOPE_BITS) - 1;

/** A body that lies in a file of its own. */
export interface LargeReference {
  /** Number of the file, never used again. */
  readonly file: number;
  /** Size of the body, in bytes. */
  readonly size: number;
  readonly crc32: number;
}

/** A large body that has been written, on its way into the log. */
export interface LargeBody extends LargeReference {
  /** Makes the file stable. */
  datasync(): Promise<void>;
  /** The file needs no sync any more. */
  end(): void;
  /** Deletes the file. */
  abort(): void;
}

/** Size of a {@link LargeReference} in a record, in bytes. */
export const LARGE_REFERENCE_SIZE: number = 24;

/** The parts of one message, where they lie. Borrowed: valid during the call it is passed to. */
export interface MessageParts {
  /** Holds the envelope and the properties. */
  head: ByteArea;
  envelopeAt: number;
  envelopeSize: number;
  propertiesAt: number;
  propertiesSize: number;
  /** Holds the body; the same as `head` when the message arrived in one piece. */
  body: ByteArea;
  bodyAt: number;
  bodySize: number;
  /** Null, or where the real body lies: `body` then holds the reference to it. */
  large: LargeBody | null;
}

/** Size of a message's real body, wherever it lies, in bytes. */
export function realBodySizeOf(m: MessageParts): number {
  return m.large === null ? m.bodySize : m.large.size;
}

const NO_BYTES = new ByteArea(Buffer.alloc(0));

/** Parts without anything in them, to be filled in. */
export function emptyMessageParts(): MessageParts {
  return {
    head: NO_BYTES,
    envelopeAt: 0,
    envelopeSize: 0,
    propertiesAt: 0,
    propertiesSize: 0,
    body: NO_BYTES,
    bodyAt: 0,
    bodySize: 0,
    large: null,
  };
}

/** Size of a message's record, in bytes. */
export function sizeOfMessage(m: MessageParts): number {
  return MESSAGE_HEAD_SIZE + m.envelopeSize + m.propertiesSize + m.bodySize;
}

/** HOT per publish. Writes the head of a message record at `at`; `routeSet` and `ageMs` as above. */
export function writeMessageHead(
  view: DataView,
  at: number,
  kind: number,
  routeSet: number,
  bodySize: number,
  envelopeSize: number,
  propertiesSize: number,
  ageMs: number,
): void {
  view.setUint32(at, (kind << 24) | routeSet);
  view.setUint32(at + 4, bodySize);
  view.setUint32(at + 8, (propertiesSize << ENVELOPE_BITS) | envelopeSize);
  view.setUint32(at + 12, ageMs);
}

/** Writes a message record at `at`; returns the offset behind it. HOT per publish. */
export function writeMessage(
  to: ByteArea,
  at: number,
  m: MessageParts,
  routeSet: number,
  ageMs: number,
): number {
  const kind = m.large === null ? RECORD_MESSAGE : RECORD_LARGE_MESSAGE;
  const { bodySize, envelopeSize, propertiesSize } = m;
  writeMessageHead(to.view, at, kind, routeSet, bodySize, envelopeSize, propertiesSize, ageMs);
  let p = at + MESSAGE_HEAD_SIZE;
  copyBytes(to, p, m.head, m.envelopeAt, envelopeSize);
  p += envelopeSize;
  copyBytes(to, p, m.head, m.propertiesAt, propertiesSize);
  p += propertiesSize;
  copyBytes(to, p, m.body, m.bodyAt, bodySize);
  return p + bodySize;
}

/** Size in bytes of what the message record at `at` holds as its body: of a large message the reference. */
export function inlineBodySizeAt(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}

/** HOT per delivery. Size in bytes of the real body of the message record at `at`. */
export function bodySizeAt(view: DataView, at: number): number {
  const size = view.getUint32(at + 4);
  // One comparison for nearly all: no large message holds anything but a reference.
  if (size !== LARGE_REFERENCE_SIZE || !isLargeAt(view, at)) return size;
  return view.getFloat64(inlineBodyAt(view, at) + 8);
}

/** Whether the body of the message record at `at` lies in a file of its own. */
export function isLargeAt(view: DataView, at: number): boolean {
  return view.getUint8(at) === RECORD_LARGE_MESSAGE;
}

/** Where the body of the large message record at `at` lies. */
export function largeReferenceAt(view: DataView, at: number): LargeReference {
  const p = inlineBodyAt(view, at);
  return { file: view.getFloat64(p), size: view.getFloat64(p + 8), crc32: view.getUint32(p + 16) };
}

/** Writes a reference, which stands in a record in place of the body. */
export function writeLargeReference(view: DataView, at: number, reference: LargeReference): void {
  view.setFloat64(at, reference.file);
  view.setFloat64(at + 8, reference.size);
  view.setUint32(at + 16, reference.crc32);
  view.setUint32(at + 20, 0);
}

/** The file of the body that the message or enqueue record at `at` speaks of; 0 when that is no large one. */
export function largeFileAt(view: DataView, at: number): number {
  if (view.getUint8(at) === RECORD_ENQUEUE) return view.getFloat64(at + 16);
  return isLargeAt(view, at) ? largeReferenceAt(view, at).file : 0;
}

function inlineBodyAt(view: DataView, at: number): number {
  return at + MESSAGE_HEAD_SIZE + envelopeSizeAt(view, at) + propertiesSizeAt(view, at);
}

/** Size in bytes of the envelope (exchange and routing key as short strings), at `at + 16`. */
export function envelopeSizeAt(view: DataView, at: number): number {
  return view.getUint32(at + 8) & ENVELOPE_MASK;
}

/** Size in bytes of the property flags and values, behind the envelope. */
export function propertiesSizeAt(view: DataView, at: number): number {
  return view.getUint32(at + 8) >>> ENVELOPE_BITS;
}

/** Both sizes in one number: equal where the two are. */
export function messageSizesAt(view: DataView, at: number): number {
  return view.getUint32(at + 8);
}

/** Size in bytes of the whole message record at `at`. */
export function messageSizeAt(view: DataView, at: number): number {
  return (
    MESSAGE_HEAD_SIZE +
    envelopeSizeAt(view, at) +
    propertiesSizeAt(view, at) +
    inlineBodySizeAt(view, at)
  );
}

/** HOT per delivery. Whether two message records are of the same kind, and each of their parts of the same size. */
export function haveSameSizes(view: DataView, one: number, other: number): boolean {
  return (
    view.getUint8(one) === view.getUint8(other) &&
    view.getInt32(one + 4) === view.getInt32(other + 4) &&
    view.getInt32(one + 8) === view.getInt32(other + 8)
  );
}

/** The route set of the message or enqueue record at `at`: an index into its batch's footer. */
export function routeSetAt(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** The position that the enqueue record at `at` leads to. */
export function enqueuedPositionAt(view: DataView, at: number): number {
  return view.getFloat64(at + 8);
}

/** Size in bytes of the record at `at`, whatever its kind; 0 when the kind is unknown. */
export function recordSizeAt(view: DataView, at: number): number {
  const count = view.getUint32(at + 4);
  switch (view.getUint8(at)) {
    case RECORD_MESSAGE:
    case RECORD_LARGE_MESSAGE:
      return messageSizeAt(view, at);
    case RECORD_SETTLE:
      return sizeOfSettle(count);
    case RECORD_REQUEUE:
      return sizeOfRequeue(count);
    case RECORD_DELIVERABLE:
      return DELIVERABLE_SIZE;
    case RECORD_PURGE:
      return sizeOfPurge(count);
    case RECORD_DEFINITION:
      return sizeOfDefinition(count);
    case RECORD_ENQUEUE:
      return ENQUEUE_SIZE;
    default:
      return 0;
  }
}

function writeOperationHead(
  view: DataView,
  at: number,
  kind: number,
  detail: number,
  count: number,
  queue: number,
): number {
  view.setUint32(at, (kind << 24) | (detail << 16));
  view.setUint32(at + 4, count);
  view.setFloat64(at + 8, queue);
  return at + OPERATION_HEAD_SIZE;
}

function writeRanges(view: DataView, at: number, ranges: readonly number[]): number {
  let p = at;
  for (const end of ranges) {
    view.setFloat64(p, end);
    p += 8;
  }
  return p;
}

/** Size of a settle record over `rangeCount` ranges. */
export function sizeOfSettle(rangeCount: number): number {
  return OPERATION_HEAD_SIZE + 8 + rangeCount * RANGE_SIZE;
}

/** `ranges` holds first and last sequence number in turn; `bytes` is the sum of the body sizes settled. */
export function writeSettle(
  to: ByteArea,
  at: number,
  reason: number,
  queue: number,
  bytes: number,
  ranges: readonly number[],
): number {
  const p = writeOperationHead(to.view, at, RECORD_SETTLE, reason, ranges.length / 2, queue);
  to.view.setFloat64(p, bytes);
  return writeRanges(to.view, p + 8, ranges);
}

/** Size of a requeue record of `count` messages. */
export function sizeOfRequeue(count: number): number {
  return OPERATION_HEAD_SIZE + count * REQUEUE_ENTRY_SIZE;
}

/** `entries` holds sequence number and delivery count in turn. */
export function writeRequeue(
  to: ByteArea,
  at: number,
  queue: number,
  entries: readonly number[],
): number {
  let p = writeOperationHead(to.view, at, RECORD_REQUEUE, 0, entries.length / 2, queue);
  for (let i = 0; i < entries.length; i += 2) {
    to.view.setFloat64(p, entries[i]!);
    to.view.setUint32(p + 8, entries[i + 1]!);
    p += REQUEUE_ENTRY_SIZE;
  }
  return p;
}

export const DELIVERABLE_SIZE: number = OPERATION_HEAD_SIZE + 8;

/** From now on messages up to `upTo` may have been delivered. */
export function writeDeliverable(to: ByteArea, at: number, queue: number, upTo: number): number {
  const p = writeOperationHead(to.view, at, RECORD_DELIVERABLE, 0, 0, queue);
  to.view.setFloat64(p, upTo);
  return p + 8;
}

/** Size of a purge record that keeps `keptRangeCount` ranges of unacked messages. */
export function sizeOfPurge(keptRangeCount: number): number {
  return OPERATION_HEAD_SIZE + 16 + keptRangeCount * RANGE_SIZE;
}

/**
 * Everything up to `upTo` is gone, but for the ranges of sequence numbers in `kept`, whose bodies are
 * `keptBytes` in all.
 */
export function writePurge(
  to: ByteArea,
  at: number,
  queue: number,
  upTo: number,
  keptBytes: number,
  kept: readonly number[],
): number {
  const p = writeOperationHead(to.view, at, RECORD_PURGE, 0, kept.length / 2, queue);
  to.view.setFloat64(p, upTo);
  to.view.setFloat64(p + 8, keptBytes);
  return writeRanges(to.view, p + 16, kept);
}

/** Size of a definition record around an AMQP frame of `frameSize` bytes. */
export function sizeOfDefinition(frameSize: number): number {
  return OPERATION_HEAD_SIZE + frameSize;
}

export function writeDefinition(
  to: ByteArea,
  at: number,
  action: number,
  queue: number,
  frame: Buffer,
): number {
  const p = writeOperationHead(to.view, at, RECORD_DEFINITION, action, frame.length, queue);
  frame.copy(to.buf, p);
  return p + frame.length;
}

export const ENQUEUE_RECORD_SIZE: number = ENQUEUE_SIZE;

/**
 * The message at `position` enters the queues of the route set; `largeFile` holds its body, or is 0. A body of more
 * than 32 bits counts as one of 32.
 */
export function writeEnqueue(
  to: ByteArea,
  at: number,
  routeSet: number,
  bodySize: number,
  position: number,
  largeFile: number,
): number {
  to.view.setUint32(at, (RECORD_ENQUEUE << 24) | routeSet);
  to.view.setUint32(at + 4, Math.min(bodySize, 0xffff_ffff));
  to.view.setFloat64(at + 8, position);
  to.view.setFloat64(at + 16, largeFile);
  return at + ENQUEUE_SIZE;
}

/** Receives the records of a batch in their order. Offsets are into the area being read. */
export interface RecordVisitor {
  message(at: number, routeSet: number, bodySize: number): void;
  largeMessage(at: number, routeSet: number, body: LargeReference): void;
  enqueue(routeSet: number, bodySize: number, position: number, largeFile: number): void;
  settle(queue: number, reason: number, bytes: number, ranges: readonly number[]): void;
  requeue(queue: number, entries: readonly number[]): void;
  deliverable(queue: number, upTo: number): void;
  purge(queue: number, upTo: number, keptBytes: number, kept: readonly number[]): void;
  definition(queue: number, action: number, frame: Buffer): void;
}

function readRanges(view: DataView, at: number, rangeCount: number): number[] {
  const ranges: number[] = [];
  for (let i = 0; i < 2 * rangeCount; i++) ranges.push(view.getFloat64(at + 8 * i));
  return ranges;
}

function readRequeueEntries(view: DataView, at: number, count: number): number[] {
  const entries: number[] = [];
  for (let i = 0; i < count; i++) {
    const p = at + i * REQUEUE_ENTRY_SIZE;
    entries.push(view.getFloat64(p), view.getUint32(p + 8));
  }
  return entries;
}

/**
 * Visits the record at `at` and returns the offset behind it, or -1 when its kind is unknown: the caller
 * treats the rest of the batch as damaged. The bytes are covered by the batch's checksum.
 */
export function visitRecord(from: ByteArea, at: number, visitor: RecordVisitor): number {
  const view = from.view;
  const kind = view.getUint8(at);
  const count = view.getUint32(at + 4);
  switch (kind) {
    case RECORD_MESSAGE:
      visitor.message(at, view.getUint16(at + 2), count);
      return at + messageSizeAt(view, at);
    case RECORD_LARGE_MESSAGE:
      visitor.largeMessage(at, view.getUint16(at + 2), largeReferenceAt(view, at));
      return at + messageSizeAt(view, at);
    case RECORD_ENQUEUE:
      visitor.enqueue(
        view.getUint16(at + 2),
        count,
        view.getFloat64(at + 8),
        largeFileAt(view, at),
      );
      return at + ENQUEUE_SIZE;
    default:
      return visitOperation(from, at, kind, count, visitor);
  }
}

function visitOperation(
  from: ByteArea,
  at: number,
  kind: number,
  count: number,
  visitor: RecordVisitor,
): number {
  const view = from.view;
  const queue = view.getFloat64(at + 8);
  const p = at + OPERATION_HEAD_SIZE;
  switch (kind) {
    case RECORD_SETTLE:
      visitor.settle(
        queue,
        view.getUint8(at + 1),
        view.getFloat64(p),
        readRanges(view, p + 8, count),
      );
      return at + sizeOfSettle(count);
    case RECORD_REQUEUE:
      visitor.requeue(queue, readRequeueEntries(view, p, count));
      return at + sizeOfRequeue(count);
    case RECORD_DELIVERABLE:
      visitor.deliverable(queue, view.getFloat64(p));
      return at + DELIVERABLE_SIZE;
    case RECORD_PURGE:
      visitor.purge(
        queue,
        view.getFloat64(p),
        view.getFloat64(p + 8),
        readRanges(view, p + 16, count),
      );
      return at + sizeOfPurge(count);
    case RECORD_DEFINITION:
      visitor.definition(
        queue,
        view.getUint8(at + 1),
        Buffer.from(from.buf.subarray(p, p + count)),
      );
      return p + count;
    default:
      return -1;
  }
}
