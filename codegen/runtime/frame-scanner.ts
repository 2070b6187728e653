/**
 * @hot Cuts a byte stream into AMQP frames, whatever the pieces in which the bytes arrive.
 *
 * A frame (spec 4.2.3):
 *
 *     0      1         3             7                  size+7
 *     +------+---------+-------------+  +------------+  +-----------+
 *     | type | channel |    size     |  |  payload   |  | 0xCE      |
 *     +------+---------+-------------+  +------------+  +-----------+
 *      octet   short       long           size octets      octet
 *
 * Invariants
 * - A frame that lies whole in the chunk is handed over where it lies; nothing is copied.
 * - Only an incomplete method, header or heartbeat frame is carried over to the next chunk. The
 *   payload of a body frame is handed over in the pieces in which it arrives, so that a large body is
 *   never held twice.
 * - Everything passed to the sink is borrowed: it is valid until the sink's function returns.
 * - The sink may take more than the frame it was given (a whole publish: method, header and body): it
 *   returns the offset at which the scan goes on.
 *
 * It does not know what is inside a frame, nor which channels are open.
 */
import { WireError } from './wire-error.ts';

const TYPE_BODY = 3;
const FRAME_END_OCTET = 0xce;
const HEADER_BYTES = 7;
const FRAME_OVERHEAD = 8;
/** Memory for an incomplete frame that is kept for the next one, in octets; nearly all fit. */
const CARRY_KEPT = 512;
const NOTHING = Buffer.alloc(0);
const REPLY_FRAME_ERROR = 501;

/** Receives what the scanner finds. All buffers are borrowed. */
export interface FrameSink {
  /**
   * A frame that lies whole in `buf`: its payload is `buf[start..end)`, and `buf[end]` is its end octet.
   * More bytes of the stream follow up to `limit`.
   *
   * @returns the offset behind the last frame taken: `end + 1`, or more where the sink consumed the
   *   frames that follow as well.
   */
  onFrame(
    type: number,
    channel: number,
    buf: Buffer,
    start: number,
    end: number,
    limit: number,
  ): number;

  /**
   * A piece of a body frame that does not lie whole in one chunk. The frame is complete, its end octet
   * seen, when `left` is 0; before, `left` is at least the number of payload octets still to come.
   */
  onBodyPiece(channel: number, buf: Buffer, start: number, end: number, left: number): void;
}

/** Cuts the bytes of one direction of one connection into frames. */
export class FrameScanner {
  /** Largest payload accepted, in octets; a larger one is a WireError 501. */
  maxPayloadSize: number;
  /** Set by the sink to end the scan behind the current frame; {@link scan} then tells where it stopped. */
  stopRequested: boolean;
  private readonly sink: FrameSink;
  /** Holds an incomplete frame; grows with what has come of it, whatever its size says. */
  private carry: Buffer;
  private carryLength: number;
  /** Payload octets of the current body frame still to come; -1: not inside a body frame. */
  private bodyLeft: number;
  private bodyChannel: number;

  constructor(sink: FrameSink, maxPayloadSize: number) {
    this.maxPayloadSize = maxPayloadSize;
    this.stopRequested = false;
    this.sink = sink;
    this.carry = NOTHING;
    this.carryLength = 0;
    this.bodyLeft = -1;
    this.bodyChannel = 0;
  }

  /** True when the bytes seen so far end in the middle of a frame. */
  get midFrame(): boolean {
    return this.carryLength > 0 || this.bodyLeft >= 0;
  }

  /** Memory that it holds for an incomplete frame, in octets. */
  get carriedBytes(): number {
    return this.carry.length;
  }

  /**
   * Scans `chunk[at..end)` and hands every frame to the sink.
   *
   * HOT per chunk and frame. Offsets are local numbers and the buffer is indexed in place, because a
   * subarray per frame costs one object of 100 bytes. Bench: micro/frame-scanner.
   *
   * @returns `end`, or an earlier offset when the sink asked to stop: the caller keeps the rest and
   *   passes it again.
   * @throws WireError 501 when a frame is too large or does not end with 0xCE.
   */
  scan(chunk: Buffer, at: number, end: number): number {
    const sink = this.sink;
    this.stopRequested = false;
    let p = at;
    if (this.bodyLeft >= 0) p = this.continueBody(chunk, p, end);
    else if (this.carryLength > 0) p = this.continueCarried(chunk, p, end);
    while (p < end && !this.stopRequested) {
      if (end - p < HEADER_BYTES) return this.keep(chunk, p, end);
      const size =
        ((chunk[p + 3]! << 24) | (chunk[p + 4]! << 16) | (chunk[p + 5]! << 8) | chunk[p + 6]!) >>>
        0;
      if (size > this.maxPayloadSize) throw this.tooLarge(chunk[p]!, size, p);
      const start = p + HEADER_BYTES;
      const payloadEnd = start + size;
      if (payloadEnd >= end) {
        if (chunk[p] !== TYPE_BODY) return this.keep(chunk, p, end);
        this.bodyChannel = (chunk[p + 1]! << 8) | chunk[p + 2]!;
        this.bodyLeft = size;
        return this.continueBody(chunk, start, end);
      }
      if (chunk[payloadEnd] !== FRAME_END_OCTET) {
        throw this.badEnd(chunk[p]!, chunk, start, payloadEnd);
      }
      p = sink.onFrame(
        chunk[p]!,
        (chunk[p + 1]! << 8) | chunk[p + 2]!,
        chunk,
        start,
        payloadEnd,
        end,
      );
    }
    return p;
  }

  /** Hands over the next piece of a body frame; returns the offset behind it (and its end octet). */
  private continueBody(chunk: Buffer, at: number, end: number): number {
    const size = Math.min(this.bodyLeft, end - at);
    const pieceEnd = at + size;
    if (size > 0) {
      this.bodyLeft -= size;
      // The last piece waits for the end octet: a frame counts only when it is whole.
      if (this.bodyLeft > 0) {
        this.sink.onBodyPiece(this.bodyChannel, chunk, at, pieceEnd, this.bodyLeft);
        return pieceEnd;
      }
      if (pieceEnd < end) {
        this.checkBodyEnd(chunk, pieceEnd);
        this.sink.onBodyPiece(this.bodyChannel, chunk, at, pieceEnd, 0);
        return pieceEnd + 1;
      }
      this.sink.onBodyPiece(this.bodyChannel, chunk, at, pieceEnd, 1);
      return pieceEnd;
    }
    if (at >= end) return at;
    this.checkBodyEnd(chunk, at);
    this.sink.onBodyPiece(this.bodyChannel, chunk, at, at, 0);
    return at + 1;
  }

  private checkBodyEnd(chunk: Buffer, at: number): void {
    if (chunk[at] !== FRAME_END_OCTET) throw this.badEnd(TYPE_BODY, chunk, at, at);
    this.bodyLeft = -1;
  }

  /** Completes the carried frame from the new chunk and hands it over; returns the offset behind it. */
  private continueCarried(chunk: Buffer, at: number, end: number): number {
    let p = at;
    if (this.carryLength < HEADER_BYTES) {
      p = this.moveToCarry(chunk, p, Math.min(end, p + HEADER_BYTES - this.carryLength));
      if (this.carryLength < HEADER_BYTES) return p;
    }
    const size = this.carry.readUInt32BE(3);
    if (size > this.maxPayloadSize) throw this.tooLarge(this.carry[0]!, size, p);
    const type = this.carry[0]!;
    const channel = this.carry.readUInt16BE(1);
    if (type === TYPE_BODY) {
      this.bodyChannel = channel;
      this.bodyLeft = size;
      this.carryLength = 0;
      return this.continueBody(chunk, p, end);
    }
    const total = HEADER_BYTES + size + 1;
    p = this.moveToCarry(chunk, p, Math.min(end, p + total - this.carryLength));
    if (this.carryLength < total) return p;
    const frame = this.carry;
    this.carryLength = 0;
    if (frame.length > CARRY_KEPT) this.carry = NOTHING;
    if (frame[total - 1] !== FRAME_END_OCTET)
      throw this.badEnd(type, frame, HEADER_BYTES, total - 1);
    this.sink.onFrame(type, channel, frame, HEADER_BYTES, total - 1, total);
    return p;
  }

  private keep(chunk: Buffer, at: number, end: number): number {
    return this.moveToCarry(chunk, at, end);
  }

  private moveToCarry(chunk: Buffer, at: number, end: number): number {
    const length = this.carryLength + end - at;
    if (length > this.carry.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(CARRY_KEPT, 2 * length));
      this.carry.copy(grown, 0, 0, this.carryLength);
      this.carry = grown;
    }
    chunk.copy(this.carry, this.carryLength, at, end);
    this.carryLength = length;
    return end;
  }

  private tooLarge(type: number, size: number, at: number): WireError {
    // The limit shown is that of the payload; 8 octets more are forgiven, as RabbitMQ does.
    const limit = this.maxPayloadSize - FRAME_OVERHEAD;
    const text = `type ${type}, all octets = <<>>: {frame_too_large,${size},${limit}}`;
    return new WireError(REPLY_FRAME_ERROR, text, at);
  }

  private badEnd(type: number, buf: Buffer, start: number, end: number): WireError {
    const shown = buf.subarray(start, Math.min(end, start + 16)).join(',');
    const which = end - start > 16 ? 'first 16' : 'all';
    const text = `type ${type}, ${which} octets = <<${shown}>>: {invalid_frame_end_marker,${buf[end]}}`;
    return new WireError(REPLY_FRAME_ERROR, text, end);
  }
}
