/**
 * @hot A publish on its way in: where its envelope, properties and body lie.
 *
 * Nearly always method, header and body frame lie whole in one chunk: {@link locatePublish} finds them there
 * and nothing is copied. Otherwise envelope, properties and body are gathered here, frame by frame, the body in a slab,
 * and the broker sees the same {@link MessageParts} either way. A body above {@link INLINE_BODY_SIZE_MAX} goes into a
 * file of its own as it comes.
 */
import {
  BASIC_CLASS_ID,
  basicPublishBitsAt,
  basicPublishEndAt,
  basicPublishExchangeAt,
  CONTENT_HEADER_FIXED_SIZE,
  contentHeaderBodySize,
  contentHeaderClassId,
  FRAME_BODY,
  FRAME_END,
  FRAME_ERROR,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  WireError,
} from '../../generated/index.ts';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import type { LargeBodyWriter } from '../storage/large-body-writer.ts';
import { INLINE_BODY_SIZE_MAX } from '../storage/large-files.ts';
import type { MessageParts } from '../storage/record-format.ts';
import {
  emptyMessageParts,
  LARGE_REFERENCE_SIZE,
  writeLargeReference,
} from '../storage/record-format.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { SlabPool } from './output.ts';
import { bodyNotStored, preconditionFailed, unexpectedFrame } from './protocol-error.ts';

const NO_BYTES = new ByteArea(Buffer.alloc(0));
/** Memory taken with the first octets of a body, at most. */
const FIRST_BODY_SIZE = 4096;
/** How many times what has come is reserved at most; so much of a body is copied once more while it grows. */
const BODY_GROWTH = 4;
/** A body that is to lie in a file is gathered up to here, so that its first octets cost neither file nor staging. */
const GATHERED_SIZE_MAX = 256 * 1024;
/** Class and method id before a method's arguments. */
const METHOD_ID_SIZE = 4;

/** What a channel expects next: any method, or the rest of a publish. */
type Phase = 'method' | 'header' | 'body';

/** Makes files for bodies that are too large to be gathered. */
export interface LargeBodySource {
  create(size: number): LargeBodyWriter;
}

/** Gathers a publish whose frames do not lie in one chunk. */
export class ContentAssembly {
  /** The parts of the publish in hand, where they lie: borrowed until {@link reset}. */
  readonly parts: MessageParts;
  /** Mandatory and immediate. */
  bits: number;
  phase: Phase;
  /** Takes the body of the publish in hand; null when that is gathered, or none is in hand. */
  writer: LargeBodyWriter | null;
  private readonly largeBodies: LargeBodySource;
  private readonly slabs: SlabPool;
  /** Holds what has come of the body; null: nothing has. */
  private slab: ByteArea | null;
  private bodySize: number;
  private received: number;

  constructor(largeBodies: LargeBodySource, slabs: SlabPool) {
    this.parts = emptyMessageParts();
    this.bits = 0;
    this.phase = 'method';
    this.writer = null;
    this.largeBodies = largeBodies;
    this.slabs = slabs;
    this.slab = null;
    this.bodySize = 0;
    this.received = 0;
  }

  /** Takes the arguments of a basic.publish, from behind its ids; its header comes next. */
  begin(buf: Buffer, at: number, end: number): void {
    const envelopeAt = basicPublishExchangeAt(at);
    const bitsAt = basicPublishBitsAt(buf, at);
    if (bitsAt >= end || basicPublishEndAt(buf, at) !== end) {
      throw new WireError(FRAME_ERROR, 'basic.publish does not end where its frame does', at);
    }
    const { parts } = this;
    parts.head = new ByteArea(Buffer.from(buf.subarray(envelopeAt, bitsAt)));
    parts.envelopeAt = 0;
    parts.envelopeSize = bitsAt - envelopeAt;
    this.bits = buf[bitsAt]!;
    this.phase = 'header';
  }

  /**
   * Takes a content header's payload. True: the body is empty, the publish is complete.
   *
   * @throws ProtocolError 406 for a body larger than `bodySizeMax`; WireError for a header that is too short
   */
  header(buf: Buffer, start: number, end: number, bodySizeMax: number): boolean {
    if (end - start < CONTENT_HEADER_FIXED_SIZE) {
      throw new WireError(FRAME_ERROR, `content header of only ${end - start} octets`, start);
    }
    const classId = contentHeaderClassId(buf, start);
    if (classId !== BASIC_CLASS_ID) {
      throw unexpectedFrame(
        `expected content header for class ${BASIC_CLASS_ID}, got one for class ${classId} instead`,
      );
    }
    const { parts } = this;
    const bodySize = contentHeaderBodySize(buf, start);
    requireBodySize(bodySize, bodySizeMax);
    const properties = buf.subarray(start + CONTENT_HEADER_FIXED_SIZE, end);
    const envelope = parts.head.buf;
    parts.head = new ByteArea(Buffer.concat([envelope, properties]));
    parts.propertiesAt = envelope.length;
    parts.propertiesSize = properties.length;
    parts.bodyAt = 0;
    parts.body = NO_BYTES;
    parts.bodySize = bodySize;
    this.bodySize = bodySize;
    this.received = 0;
    this.phase = 'body';
    return bodySize === 0;
  }

  /**
   * Takes body octets. True: the body is complete.
   *
   * @throws ProtocolError 506 when the disk refuses a large one
   */
  body(buf: Buffer, start: number, end: number): boolean {
    const { bodySize } = this;
    const received = this.received + end - start;
    if (received > bodySize) {
      throw new WireError(FRAME_ERROR, 'content body frame exceeds remaining content size', start);
    }
    if (this.writer === null && bodySize > INLINE_BODY_SIZE_MAX && received > GATHERED_SIZE_MAX) {
      this.beginLarge();
    }
    const { writer } = this;
    if (writer === null) {
      this.makeRoomFor(received);
      buf.copy(this.parts.body.buf, this.received, start, end);
    } else {
      refusable(() => writer.append(buf, start, end));
    }
    this.received = received;
    if (received < bodySize) return false;
    if (writer !== null) this.finishLarge(writer);
    return true;
  }

  /** Memory follows what has come, not what was announced. */
  private makeRoomFor(size: number): void {
    const { parts } = this;
    if (parts.body.buf.length >= size) return;
    const room = Math.max(FIRST_BODY_SIZE, BODY_GROWTH * size);
    const grown = this.slabs.acquireFor(Math.min(this.bodySize, room));
    parts.body.buf.copy(grown.buf, 0, 0, this.received);
    this.releaseSlab();
    this.slab = grown;
    parts.body = grown;
  }

  private releaseSlab(): void {
    if (this.slab !== null) this.slabs.release(this.slab);
    this.slab = null;
  }

  /** The body goes on in a file, what has come of it first. */
  private beginLarge(): void {
    const { parts, bodySize, received } = this;
    const writer = this.largeBodies.create(bodySize);
    this.writer = writer;
    refusable(() => writer.append(parts.body.buf, 0, received));
    parts.body = NO_BYTES;
    this.releaseSlab();
  }

  /** Bytes held for a body that is on its way, beside its slab. */
  get stagingBytes(): number {
    return this.writer?.stagingBytes ?? 0;
  }

  /** Ends the publish in hand; what it held is let go, and a large body deleted unless it was kept. */
  reset(): void {
    this.phase = 'method';
    this.parts.head = NO_BYTES;
    this.parts.body = NO_BYTES;
    this.releaseSlab();
    this.parts.large = null;
    this.writer?.abort();
    this.writer = null;
  }

  /** The body is in its file: the publish goes on with a reference to it. */
  private finishLarge(writer: LargeBodyWriter): void {
    refusable(() => writer.finish());
    const { parts } = this;
    parts.large = writer;
    parts.body = newByteArea(LARGE_REFERENCE_SIZE);
    parts.bodySize = LARGE_REFERENCE_SIZE;
    writeLargeReference(parts.body.view, 0, writer);
  }
}

/** @throws ProtocolError 506 where `call` throws a StorageError */
function refusable<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof StorageError) throw bodyNotStored(error);
    throw error;
  }
}

/** @throws ProtocolError 406 when a body is larger than is taken */
export function requireBodySize(size: number, max: number): void {
  if (size > max) {
    throw preconditionFailed(`message size ${size} is larger than configured max size ${max}`);
  }
}

/**
 * HOT per publish. Looks for the content of the basic.publish whose payload is `area[start..end)`: its header
 * and one body frame, each of at most `payloadMax` octets, right behind it and before `limit`. Fills in `into`, which then borrows from `area`.
 *
 * @returns the offset behind the last frame, or -1 when the publish is not whole or not plain: it is then
 *   gathered frame by frame, which also finds what is wrong with it.
 */
export function locatePublish(
  area: ByteArea,
  start: number,
  end: number,
  limit: number,
  channel: number,
  payloadMax: number,
  into: ContentAssembly,
): number {
  const { buf, view } = area;
  const envelopeAt = basicPublishExchangeAt(start + METHOD_ID_SIZE);
  const keyAt = envelopeAt + 1 + buf[envelopeAt]!;
  if (keyAt >= end) return -1;
  const bitsAt = keyAt + 1 + buf[keyAt]!;
  if (bitsAt + 1 !== end) return -1;
  const header = end + 1;
  const fixedEnd = header + FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE;
  if (fixedEnd + 2 >= limit || view.getUint8(header) !== FRAME_HEADER) return -1;
  const headerEnd = header + FRAME_HEADER_SIZE + view.getUint32(header + 3);
  if (headerEnd >= limit || headerEnd < fixedEnd + 2 || view.getUint8(headerEnd) !== FRAME_END) {
    return -1;
  }
  if (view.getUint16(header + 1) !== channel) return -1;
  if (view.getUint16(header + FRAME_HEADER_SIZE) !== BASIC_CLASS_ID) return -1;
  if (view.getUint32(header + FRAME_HEADER_SIZE + 4) !== 0) return -1;
  if (headerEnd - header > payloadMax) return -1;
  const bodySize = view.getUint32(header + FRAME_HEADER_SIZE + 8);
  let next = headerEnd + 1;
  if (bodySize > payloadMax) return -1;
  if (bodySize > 0) {
    const bodyEnd = next + FRAME_HEADER_SIZE + bodySize;
    if (bodyEnd >= limit || view.getUint8(next) !== FRAME_BODY) return -1;
    if (view.getUint16(next + 1) !== channel || view.getUint32(next + 3) !== bodySize) return -1;
    if (view.getUint8(bodyEnd) !== FRAME_END) return -1;
    next = bodyEnd + 1;
  }
  const { parts } = into;
  into.bits = buf[bitsAt]!;
  parts.head = area;
  parts.envelopeAt = envelopeAt;
  parts.envelopeSize = bitsAt - envelopeAt;
  parts.propertiesAt = fixedEnd;
  parts.propertiesSize = headerEnd - fixedEnd;
  parts.body = area;
  parts.bodyAt = headerEnd + 1 + FRAME_HEADER_SIZE;
  parts.bodySize = bodySize;
  return next;
}
