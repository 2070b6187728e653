/**
 * @hot Leads every frame of a connection to whom it concerns: a publish or an ack to its channel where it lies, any
 * other method to its handler, channel 0 to the connection.
 *
 * - A publish that lies whole in a chunk goes to its channel without a frame object.
 * - While an alarm lasts the scan stops before the next publish (held-input.ts): that waits in its chunk, unread. So
 *   does an ack of what a get has not brought yet.
 * - What crosses a close that the server has sent is dropped, but for the answer and a close of the peer's own.
 */
import {
  BASIC_ACK_ID,
  BASIC_PUBLISH_ID,
  ByteReader,
  basicAckDeliveryTag,
  basicAckMultiple,
  CHANNEL_CLOSE_ID,
  CHANNEL_CLOSE_OK_ID,
  CHANNEL_OPEN_ID,
  dispatchToServer,
  FRAME_BODY,
  FRAME_ERROR,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  IntegerTooLarge,
  METHOD_ID_SIZE,
  METHODS,
} from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import { type Alarms, HeldByAlarm } from '../broker/alarms.ts';
import type { MessageRun } from '../storage/message-run.ts';
import type { Channel } from './channel.ts';
import { locatePublish } from './content-assembly.ts';
import { channelMethods } from './handlers/table.ts';
import { HeldByGets } from './held-by-gets.ts';
import type { HeldInput, HeldMethod } from './held-input.ts';
import {
  channelError,
  commandInvalid,
  ProtocolError,
  preconditionFailed,
  strayFrame,
  unexpectedFrame,
} from './protocol-error.ts';
import { findRepeats } from './repeated-publishes.ts';
import type { Settlements } from './settlements.ts';

/** Largest frame payload before tune-ok: client properties and tokens must fit. */
const HANDSHAKE_PAYLOAD_MAX = 128 * 1024;

const NO_METHOD_FRAME = 'expected method frame, got non method frame instead';
const NO_HEADER_FRAME =
  'expected content header for class 60, got non content header frame instead';

/** What channels and channel 0 are to the router: the connection. */
export interface FrameRouterOwner {
  /** Channels may be used. */
  readonly isRunning: boolean;
  /** A close has been sent or received: only the answer counts. */
  readonly isClosing: boolean;
  readonly maxMessageSizeBytes: number;
  /** A method of channel 0; `reader` stands behind its ids. */
  methodOfConnection(methodId: number, reader: ByteReader): void;
  /** A method of channel 0 while the connection closes. */
  methodWhileClosing(methodId: number): void;
  /** @throws ProtocolError 530 when there are too many */
  openChannel(number: number): void;
  /** The peer has answered the close of a channel. */
  forget(channel: Channel): void;
  /** The peer closes a channel that the server has closed already. */
  answerClose(channel: Channel): void;
  /** Answers an error: the channel ends, or the connection. */
  fail(cause: unknown, channel: Channel | null): void;
}

/** Reads the frames of one connection. */
export class FrameRouter implements FrameSink {
  /** Largest frame, in bytes with its framing. */
  frameMax: number;
  /** Class and method id of the last method, for connection.close and channel.close. */
  lastMethodId: number;
  readonly channels: Map<number, Channel>;
  /** The channel of the last frame: nearly always that of the next. */
  lastChannel: Channel | null;
  private readonly owner: FrameRouterOwner;
  private readonly alarms: Alarms;
  private readonly held: HeldInput;
  private readonly run: MessageRun;
  private readonly scanner: FrameScanner;
  private readonly reader: ByteReader;
  /** The chunk being scanned; publishes borrow from it. */
  private area: ByteArea;
  /** Holds acks that wait to be carried out with those behind them; null: nobody does. */
  private acking: Settlements | null;

  /** @param run used during a call alone: all may share it */
  constructor(
    owner: FrameRouterOwner,
    alarms: Alarms,
    held: HeldInput,
    run: MessageRun,
    frameMax: number,
  ) {
    this.frameMax = frameMax;
    this.lastMethodId = 0;
    this.channels = new Map();
    this.lastChannel = null;
    this.owner = owner;
    this.alarms = alarms;
    this.held = held;
    this.run = run;
    this.scanner = new FrameScanner(this, HANDSHAKE_PAYLOAD_MAX);
    this.reader = new ByteReader();
    this.area = new ByteArea(Buffer.alloc(0));
    this.acking = null;
  }

  /** Bytes held of a frame that has not come whole. */
  get carriedBytes(): number {
    return this.scanner.carriedBytes;
  }

  /** The handshake is over: from now on frames are as large as was agreed on. */
  tuned(frameMax: number): void {
    this.frameMax = frameMax;
    this.scanner.maxPayloadSize = frameMax;
  }

  /**
   * HOT per read. Carries out `area.buf[0..size)`, which is borrowed.
   *
   * @returns the offset at which it stopped: the end, or before what an alarm holds back
   * @throws WireError when the framing is broken: nothing behind it can be read
   */
  scan(area: ByteArea, size: number): number {
    this.area = area;
    try {
      return this.scanner.scan(area.buf, 0, size);
    } finally {
      this.flushAcks();
    }
  }

  /** HOT per frame, and per publish that lies whole in the chunk. */
  onFrame(
    type: number,
    number: number,
    buf: Buffer,
    start: number,
    end: number,
    limit: number,
  ): number {
    const channel = this.channelAt(number);
    if (type === FRAME_METHOD && channel !== null && end - start > METHOD_ID_SIZE) {
      const area = buf === this.area.buf ? this.area : new ByteArea(buf);
      const methodId = area.view.getUint32(start);
      if (methodId === BASIC_PUBLISH_ID && channel.isReadyForMethod) {
        if (this.alarms.holdsPublishes) return this.stopBefore('publish', buf, start, end);
        this.lastMethodId = methodId;
        const next = locatePublish(area, start, end, limit, number, this.frameMax, channel.content);
        if (next > 0) return this.publishAll(channel, start - FRAME_HEADER_SIZE, next, limit);
      } else if (methodId === BASIC_ACK_ID && channel.isReadyForMethod && end - start === 13) {
        const tag = basicAckDeliveryTag(buf, start + METHOD_ID_SIZE);
        if (tag <= Number.MAX_SAFE_INTEGER) {
          this.lastMethodId = methodId;
          try {
            this.ack(channel, tag, basicAckMultiple(buf, start + METHOD_ID_SIZE));
          } catch (error) {
            this.failed(error, channel, buf, start, end);
          }
          return this.held.isActive ? start - FRAME_HEADER_SIZE : end + 1;
        }
      }
    }
    this.handleFrame(type, number, channel, buf, start, end);
    return this.held.isActive ? start - FRAME_HEADER_SIZE : end + 1;
  }

  onBodyPiece(number: number, buf: Buffer, start: number, end: number, left: number): void {
    const channel = this.channelAt(number);
    if (channel === null) {
      if (left === 0) this.handleFrame(FRAME_BODY, number, channel, buf, start, end);
      return;
    }
    this.lastMethodId = BASIC_PUBLISH_ID;
    try {
      this.takeBody(channel, buf, start, end, left === 0);
    } catch (error) {
      this.owner.fail(error, channel);
    }
  }

  private channelAt(number: number): Channel | null {
    const last = this.lastChannel;
    if (last !== null && last.number === number) return last;
    const channel = this.channels.get(number) ?? null;
    if (channel !== null) this.lastChannel = channel;
    return channel;
  }

  private ack(channel: Channel, tag: number, multiple: boolean): void {
    const { settlements } = channel;
    channel.requireGiven(tag);
    if (this.acking !== settlements) this.flushAcks();
    if (multiple) settlements.settle(tag, true, true);
    else {
      this.acking = settlements;
      settlements.ack(tag);
    }
  }

  private flushAcks(): void {
    const { acking } = this;
    if (acking === null) return;
    this.acking = null;
    acking.flush();
  }

  /** HOT per publish. Takes the one at `[at..next)`, and those behind it that repeat it; the offset behind the last. */
  private publishAll(channel: Channel, at: number, next: number, limit: number): number {
    const { run } = this;
    let end = next;
    try {
      if (channel.publish()) {
        const bodySizeMax = Math.min(this.frameMax, this.owner.maxMessageSizeBytes);
        end = findRepeats(channel.content.parts, at, next, limit, bodySizeMax, run);
        if (run.count > 0) channel.publishRun(run);
      }
    } catch (error) {
      this.owner.fail(error, channel);
    }
    return end;
  }

  /** Stops the scan before the method frame at `buf[start..end)`; the offset at which it stops. */
  private stopBefore(
    method: HeldMethod,
    buf: Buffer,
    start: number,
    end: number,
    channel: Channel | null = null,
  ): number {
    const at = start - FRAME_HEADER_SIZE;
    // A frame that came in pieces lies in the scanner's own memory, and the rest of the chunk behind it.
    const frame = buf === this.area.buf ? null : Buffer.from(buf.subarray(at, end + 1));
    this.held.begin(method, frame, channel);
    this.scanner.stopRequested = true;
    return at;
  }

  private handleFrame(
    type: number,
    number: number,
    channel: Channel | null,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const { owner } = this;
    this.flushAcks();
    // Until a method is read, no method is to blame.
    if (type !== FRAME_HEADER && type !== FRAME_BODY) this.lastMethodId = 0;
    try {
      if (owner.isClosing) this.whileClosing(type, number, buf, start, end);
      else if (type === FRAME_HEARTBEAT) checkHeartbeat(number, buf, start, end);
      else if (type !== FRAME_METHOD && type !== FRAME_HEADER && type !== FRAME_BODY) {
        throw unknownFrame(type, buf, start, end);
      } else if (number === 0) this.onChannelZero(type, buf, start, end);
      else if (!owner.isRunning) {
        throw strayFrame(`type ${type}, all octets = <<>>: before connection.open-ok`);
      } else if (channel === null) this.withoutChannel(type, number, buf, start, end);
      else if (channel.isClosing) this.whileChannelCloses(channel, type, buf, start, end);
      else this.onChannel(channel, type, buf, start, end);
    } catch (error) {
      this.failed(error, channel, buf, start, end);
    }
  }

  /** A frame could not be carried out: perhaps only not yet. */
  private failed(
    error: unknown,
    channel: Channel | null,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    if (error instanceof HeldByAlarm) this.stopBefore('definition', buf, start, end);
    else if (error instanceof HeldByGets) this.stopBefore('settlement', buf, start, end, channel);
    else this.owner.fail(error instanceof IntegerTooLarge ? unknownTag(error) : error, channel);
  }

  private readMethodId(buf: Buffer, start: number, end: number): number {
    this.reader.reset(buf, start, end);
    this.lastMethodId = this.reader.u32();
    return this.lastMethodId;
  }

  private onChannelZero(type: number, buf: Buffer, start: number, end: number): void {
    if (type !== FRAME_METHOD) throw strayFrame(NO_METHOD_FRAME);
    this.owner.methodOfConnection(this.readMethodId(buf, start, end), this.reader);
  }

  private onChannel(channel: Channel, type: number, buf: Buffer, start: number, end: number): void {
    const { content } = channel;
    if (content.phase !== 'method') this.lastMethodId = BASIC_PUBLISH_ID;
    if (content.phase === 'header') {
      if (type !== FRAME_HEADER) throw unexpectedFrame(NO_HEADER_FRAME);
      if (content.header(buf, start, end, this.owner.maxMessageSizeBytes)) finishContent(channel);
      return;
    }
    if (content.phase === 'body') {
      if (type !== FRAME_BODY) {
        throw unexpectedFrame('expected content body, got non content body frame instead');
      }
      this.takeBody(channel, buf, start, end, true);
      return;
    }
    if (type !== FRAME_METHOD) throw strayFrame(NO_METHOD_FRAME);
    const methodId = this.readMethodId(buf, start, end);
    if (methodId === BASIC_PUBLISH_ID) content.begin(buf, start + METHOD_ID_SIZE, end);
    else if (!dispatchToServer(channelMethods, channel, methodId, this.reader)) {
      throw notForServers(methodId);
    }
  }

  private takeBody(channel: Channel, buf: Buffer, start: number, end: number, ends: boolean): void {
    if (channel.isClosing) return;
    if (channel.content.phase !== 'body') {
      throw channel.content.phase === 'header'
        ? unexpectedFrame(NO_HEADER_FRAME)
        : strayFrame(NO_METHOD_FRAME);
    }
    if (channel.content.body(buf, start, end) && ends) finishContent(channel);
  }

  /** A frame on a channel that is not open. */
  private withoutChannel(
    type: number,
    number: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    if (type !== FRAME_METHOD) throw strayFrame(NO_METHOD_FRAME);
    const methodId = this.readMethodId(buf, start, end);
    if (methodId !== CHANNEL_OPEN_ID) throw channelError("expected 'channel.open'");
    this.owner.openChannel(number);
  }

  /** The server has closed the channel: only the peer's answer counts, and a close of its own. */
  private whileChannelCloses(
    channel: Channel,
    type: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const methodId = type === FRAME_METHOD ? this.readMethodId(buf, start, end) : 0;
    if (methodId === CHANNEL_CLOSE_OK_ID) this.owner.forget(channel);
    else if (methodId === CHANNEL_CLOSE_ID) this.owner.answerClose(channel);
  }

  private whileClosing(
    type: number,
    number: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    if (type !== FRAME_METHOD || number !== 0 || end - start < 4) return;
    this.owner.methodWhileClosing(buf.readUInt32BE(start));
  }
}

function finishContent(channel: Channel): void {
  try {
    channel.publish();
  } finally {
    channel.content.reset();
  }
}

function checkHeartbeat(number: number, buf: Buffer, start: number, end: number): void {
  if (number !== 0) throw strayFrame('heartbeat frame on a channel other than 0');
  if (end > start) throw unknownFrame(FRAME_HEARTBEAT, buf, start, end);
}

/** The one 64-bit argument of a method that a client sends is a delivery tag; ours never become so large. */
function unknownTag({ value }: IntegerTooLarge): ProtocolError {
  return preconditionFailed(`unknown delivery tag ${value}`);
}

/** One that only a server sends, or that nobody knows. */
function notForServers(methodId: number): ProtocolError {
  if (METHODS.some(({ id }) => id === methodId)) return commandInvalid('unimplemented method');
  return commandInvalid(`unknown method ${methodId >>> 16}.${methodId & 0xffff}`);
}

function unknownFrame(type: number, buf: Buffer, start: number, end: number): ProtocolError {
  const shown = buf.subarray(start, Math.min(end, start + 16)).join(',');
  const which = end - start > 16 ? 'first 16' : 'all';
  return new ProtocolError(
    FRAME_ERROR,
    `type ${type}, ${which} octets = <<${shown}>>: unknown_frame`,
  );
}
