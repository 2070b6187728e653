/**
 * @hot One connection of the bare broker: the hot path of a broker and nothing beside it. Contents are copied from the
 * socket into the log, and from there behind a basic.deliver into the output; once a turn there is a write, a sync that
 * confirms wait for, and a buffer for the socket.
 *
 * It checks nothing, routes nothing, and knows one queue. Bodies fit into a frame.
 */
import type { Socket } from 'node:net';
import {
  BASIC_ACK_ID,
  BASIC_PUBLISH_ID,
  ByteReader,
  basicAckDeliveryTag,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  FrameScanner,
  type FrameSink,
  METHOD_ID_SIZE,
  readU32,
} from '../../../generated/index.ts';
import { SocketReader } from '../../../server/amqp/socket-reader.ts';
import { ByteArea, copyBytes, newByteArea } from '../../../server/base/byte-area.ts';
import { FixedBytes } from '../../../server/base/fixed-bytes.ts';
import { contentBehind, contentEnd } from '../../amqp/content-end.ts';
import { createDeliverFrame } from '../../testing/delivery-block.ts';
import {
  STAND_IN_FRAME_MAX,
  StandInControl,
  type StandInTraffic,
} from '../../testing/stand-in-control.ts';
import type { BareLog } from './bare-log.ts';

const BODY_SIZE_OFFSET = 8;
const SLAB_BYTES = 256 * 1024;
const DELIVER_BYTES_PER_TURN = 1024 * 1024;
/** Read of a publisher in a turn: of what lies in a socket libuv brings 32 reads. */
const READ_BYTES_PER_TURN = 256 * 1024;
/** While more waits for a consumer, publishers are not read. */
const BEHIND_BYTES = 512 * 1024;

/** All connections of the broker, and the turns that they share. */
export class BareBroker {
  readonly log: BareLog;
  readonly reader: SocketReader;
  readonly sessions: Set<BareSession>;
  private isScheduled: boolean;
  private isSyncing: boolean;

  constructor(log: BareLog) {
    this.log = log;
    this.reader = new SocketReader({ isCrowded: false, turnNumber: 0 });
    this.sessions = new Set();
    this.isScheduled = false;
    this.isSyncing = false;
  }

  /** Something came: a turn follows. */
  wake(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.turn();
    });
  }

  private turn(): void {
    const { log, sessions } = this;
    for (const session of sessions) session.deliver();
    const waiting = [...sessions].filter((session) => session.awaitsConfirms);
    log.write(waiting.length > 0);
    if (waiting.length > 0 && !this.isSyncing) this.sync(waiting);
    const hasConsumer = [...sessions].some((session) => session.consumes);
    const isBehind = hasConsumer && log.waitingBytes > BEHIND_BYTES;
    for (const session of sessions) session.read(!isBehind);
  }

  private sync(waiting: readonly BareSession[]): void {
    this.isSyncing = true;
    const marks = waiting.map((session) => ({ session, upTo: session.published }));
    this.log.sync(() => {
      this.isSyncing = false;
      for (const { session, upTo } of marks) session.confirm(upTo);
      this.wake();
    });
  }
}

/** One connection. */
export class BareSession implements FrameSink, StandInTraffic {
  /** Messages that came, and those that were confirmed. */
  published: number;
  private confirmed: number;
  private readonly socket: Socket;
  private readonly broker: BareBroker;
  private readonly scanner: FrameScanner;
  private readonly control: StandInControl;
  private readonly reader: ByteReader;
  private readInTurn: number;
  private confirms: boolean;
  /** What is read just now. */
  private area: ByteArea;
  /** A content that comes in pieces: what has come, its size in all, and where its next octet goes. */
  private split: ByteArea;
  private splitSize: number;
  private splitAt: number;
  private prefix: FixedBytes | null;
  private tagAt: number;
  private noAck: boolean;
  private prefetchCount: number;
  private deliveredTag: number;
  private ackedTag: number;
  private slab: ByteArea;
  private spare: ByteArea | null;

  constructor(socket: Socket, broker: BareBroker) {
    this.published = 0;
    this.confirmed = 0;
    this.socket = socket;
    this.broker = broker;
    this.scanner = new FrameScanner(this, STAND_IN_FRAME_MAX);
    this.control = new StandInControl(this, 'bare broker');
    this.reader = new ByteReader();
    this.readInTurn = 0;
    this.confirms = false;
    this.area = new ByteArea(Buffer.alloc(0));
    this.split = this.area;
    this.splitSize = 0;
    this.splitAt = 0;
    this.prefix = null;
    this.tagAt = 0;
    this.noAck = false;
    this.prefetchCount = 0;
    this.deliveredTag = 0;
    this.ackedTag = 0;
    this.slab = newByteArea(SLAB_BYTES);
    this.spare = null;
  }

  start(): void {
    const { socket, broker } = this;
    broker.sessions.add(this);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => broker.sessions.delete(this));
    socket.on('drain', () => broker.wake());
    broker.reader.read(socket, (area, size) => this.onRead(area, size));
  }

  // --- for the turn ----------------------------------------------------------------------------

  get awaitsConfirms(): boolean {
    return this.confirms && this.published > this.confirmed;
  }

  get consumes(): boolean {
    return this.prefix !== null;
  }

  /** Reads on, or not; a consumer, whose acks come the same way, always. */
  read(wanted: boolean): void {
    this.readInTurn = 0;
    if (this.consumes || this.published === 0) return;
    if (wanted === this.socket.isPaused()) {
      if (wanted) this.socket.resume();
      else this.socket.pause();
    }
  }

  confirm(upTo: number): void {
    this.confirmed = upTo;
    this.control.confirm(upTo);
  }

  /** HOT per delivery. */
  deliver(): void {
    const { prefix, broker, socket } = this;
    if (prefix === null) return;
    const { log } = broker;
    const unacked = this.noAck ? 0 : this.deliveredTag - this.ackedTag;
    let credit = this.noAck || this.prefetchCount === 0 ? log.ready : this.prefetchCount - unacked;
    let bytesLeft = DELIVER_BYTES_PER_TURN;
    let at = 0;
    while (log.ready > 0 && credit > 0 && bytesLeft > 0 && !socket.writableNeedDrain) {
      const { area, at: from, size } = log.peek();
      if (at + prefix.size + size > SLAB_BYTES) {
        this.flush(at);
        at = 0;
        continue;
      }
      const { view } = this.slab;
      prefix.copyTo(this.slab, at);
      view.setUint32(at + this.tagAt + 4, ++this.deliveredTag);
      copyBytes(this.slab, at + prefix.size, area, from, size);
      at += prefix.size + size;
      bytesLeft -= prefix.size + size;
      credit--;
      log.shift();
    }
    this.flush(at);
    if (log.ready > 0 && credit > 0 && !socket.writableNeedDrain) broker.wake();
  }

  // --- frames ----------------------------------------------------------------------------------

  onFrame(
    type: number,
    channel: number,
    buf: Buffer,
    start: number,
    end: number,
    limit: number,
  ): number {
    if (type === FRAME_METHOD) {
      const methodId = readU32(buf, start);
      if (methodId === BASIC_PUBLISH_ID) return this.takePublishes(buf, end + 1, limit);
      const reader = this.reader.reset(buf, start + METHOD_ID_SIZE, end);
      if (methodId === BASIC_ACK_ID) {
        this.ackedTag = basicAckDeliveryTag(buf, start + METHOD_ID_SIZE);
      } else this.control.answer(methodId, channel, reader);
    } else if (type === FRAME_HEADER) this.beginSplit(channel, buf, start, end);
    else this.takePiece(buf, start, end, true);
    return end + 1;
  }

  onBodyPiece(_channel: number, buf: Buffer, start: number, end: number, left: number): void {
    this.takePiece(buf, start, end, left === 0);
  }

  /** HOT per publish. `at` is behind the method frame of the first. */
  private takePublishes(buf: Buffer, at: number, limit: number): number {
    const { log } = this.broker;
    // A frame that was carried over from the last chunk lies elsewhere.
    const area = buf === this.area.buf ? this.area : new ByteArea(buf);
    let next = contentEnd(buf, at, limit);
    if (next < 0) return at;
    log.append(area, at, next);
    let behind = next;
    let count = 1;
    for (;;) {
      const content = contentBehind(BASIC_PUBLISH_ID, buf, behind, limit);
      if (content < 0) break;
      next = contentEnd(buf, content, limit);
      if (next < 0) break;
      log.append(area, content, next);
      behind = next;
      count++;
    }
    this.published += count;
    return behind;
  }

  /** The header of a content that does not lie whole in what was read: it is gathered here. */
  private beginSplit(channel: number, buf: Buffer, start: number, end: number): void {
    const bodySize = readU32(buf, start + BODY_SIZE_OFFSET);
    const headerSize = FRAME_OVERHEAD + end - start;
    this.splitSize = headerSize + (bodySize > 0 ? FRAME_OVERHEAD + bodySize : 0);
    if (this.split.buf.length < this.splitSize) this.split = newByteArea(this.splitSize);
    const { split } = this;
    split.buf.set(buf.subarray(start - FRAME_HEADER_SIZE, end + 1));
    if (bodySize === 0) {
      this.endSplit();
      return;
    }
    split.view.setUint8(headerSize, FRAME_BODY);
    split.view.setUint16(headerSize + 1, channel);
    split.view.setUint32(headerSize + 3, bodySize);
    this.splitAt = headerSize + FRAME_HEADER_SIZE;
  }

  private takePiece(buf: Buffer, start: number, end: number, isEnd: boolean): void {
    const { split } = this;
    split.buf.set(buf.subarray(start, end), this.splitAt);
    this.splitAt += end - start;
    if (!isEnd) return;
    split.view.setUint8(this.splitAt, FRAME_END);
    this.endSplit();
  }

  private endSplit(): void {
    this.broker.log.append(this.split, 0, this.splitSize);
    this.published++;
  }

  private onRead(area: ByteArea, size: number): void {
    this.area = area;
    const skipped = this.control.takeProtocolHeader(size);
    this.scanner.scan(area.buf, skipped, size);
    this.broker.wake();
    this.readInTurn += size;
    if (this.readInTurn >= READ_BYTES_PER_TURN && this.published > 0) this.socket.pause();
  }

  private flush(size: number): void {
    if (size === 0) return;
    const { slab } = this;
    this.socket.write(slab.buf.subarray(0, size));
    if (this.socket.writableLength === 0) return;
    // The socket reads it until it has drained.
    this.slab = this.spare ?? newByteArea(SLAB_BYTES);
    this.spare = slab;
  }

  // --- control ---------------------------------------------------------------------------------

  get ready(): number {
    return this.broker.log.ready;
  }

  startConsumer(channel: number, consumerTag: string, noAck: boolean): void {
    const { frame, tagAt } = createDeliverFrame(channel, consumerTag);
    this.prefix = new FixedBytes(frame);
    this.tagAt = tagAt;
    this.noAck = noAck;
  }

  limitPrefetch(count: number): void {
    this.prefetchCount = count;
  }

  beginConfirms(): void {
    this.confirms = true;
  }

  endChannel(): void {
    this.prefix = null;
  }

  emptyQueue(): void {
    this.broker.log.clear();
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }
}
