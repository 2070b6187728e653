/**
 * @hot A connection: its socket, handshake, channels, heartbeats and output. It does not know queues but those
 * that are exclusive to it.
 *
 *     header -> handshake -> running -> closing -> closed
 *
 * - Bytes are scanned where the socket put them; a publish that lies whole in a chunk goes to its channel
 *   without a frame object. A turn reads a bounded amount of each connection.
 * - While an alarm lasts it stops before its next publish (held-input.ts): that waits in its chunk, unread.
 * - An error on a channel closes the channel; one on channel 0, or a hard one, closes the connection. Nothing
 *   that a peer sends ends the process.
 */
import type { Socket } from 'node:net';
import {
  BASIC_ACK_ID,
  BASIC_PUBLISH_ID,
  ByteReader,
  basicAckDeliveryTag,
  basicAckMultiple,
  CHANNEL_CLOSE_ID,
  CHANNEL_CLOSE_OK_ID,
  CHANNEL_OPEN_ID,
  CONNECTION_CLOSE_ID,
  CONNECTION_CLOSE_OK_ID,
  CONNECTION_FORCED,
  dispatchToServer,
  encodeChannelClose,
  encodeChannelCloseOk,
  encodeChannelOpenOk,
  encodeConnectionClose,
  encodeConnectionCloseOk,
  encodeHeartbeat,
  FRAME_BODY,
  FRAME_ERROR,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  FrameScanner,
  type FrameSink,
  PROTOCOL_HEADER,
  sizeOfChannelClose,
  sizeOfChannelCloseOk,
  sizeOfChannelOpenOk,
  sizeOfConnectionClose,
  sizeOfConnectionCloseOk,
} from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import { type Alarms, HeldByAlarm } from '../broker/alarms.ts';
import type { Actor, Flushable, QueueOwner } from '../broker/ports.ts';
import type { Queue } from '../broker/queue.ts';
import { removeQueue } from '../broker/queues.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Channel, type ChannelConnection } from './channel.ts';
import { locatePublish } from './content-assembly.ts';
import { channelMethods } from './handlers/table.ts';
import { Handshake, type Session, SilentRefusal } from './handshake.ts';
import { HeldInput, type HeldInputOwner, type HeldMethod } from './held-input.ts';
import { LargeOutput } from './large-output.ts';
import { Liveness } from './liveness.ts';
import { Output, type OutputOwner } from './output.ts';
import {
  channelError,
  commandInvalid,
  notAllowed,
  ProtocolError,
  replyText,
  strayFrame,
  toProtocolError,
  unexpectedFrame,
} from './protocol-error.ts';
import type { AmqpServices } from './services.ts';

/** Bytes of one connection that a turn parses; what has come beyond waits for the next. */
const PARSE_BYTES_PER_TURN = 256 * 1024;
/** The same while a queue that it publishes to has a willing consumer and falls behind. Never zero: acks share it. */
const PARSE_BYTES_PER_TURN_BEHIND = 64 * 1024;
/** A peer that takes no output is not read when this much waits for it. */
const PENDING_OUTPUT_MAX = 4 * 1024 * 1024;
/** Largest frame payload before tune-ok: client properties and tokens must fit. */
const HANDSHAKE_PAYLOAD_MAX = 128 * 1024;
/** How long a refused login waits before its socket is closed without a word. */
const SILENT_CLOSE_MS = 3000;
/** How long the peer may take to answer connection.close. */
const CLOSE_TIMEOUT_MS = 30_000;
/** How long a peer that broke the framing may take. */
const FRAME_ERROR_TIMEOUT_MS = 1000;

const NO_METHOD_FRAME = 'expected method frame, got non method frame instead';
const NO_HEADER_FRAME =
  'expected content header for class 60, got non content header frame instead';

/** Where a connection stands. */
type Phase = 'header' | 'handshake' | 'running' | 'closing' | 'closed';

/** Told when a connection is over. */
export interface ConnectionEvents {
  closed(connection: Connection): void;
}

/** One client's connection. */
export class Connection
  implements FrameSink, ChannelConnection, QueueOwner, OutputOwner, Flushable, HeldInputOwner
{
  readonly description: string;
  readonly output: Output;
  frameMax: number;
  knowsConsumerCancel: boolean;
  private readonly socket: Socket;
  private readonly services: AmqpServices;
  private readonly events: ConnectionEvents;
  private readonly logger: Logger;
  private readonly scanner: FrameScanner;
  private readonly reader: ByteReader;
  private phase: Phase;
  /** Bytes of the protocol header seen so far. */
  private headerBytes: Buffer;
  /** Null before and after. */
  private handshake: Handshake | null;
  private session: Session | null;
  private sessionActor: Actor | null;
  private channelMax: number;
  private readonly channels: Map<number, Channel>;
  /** The channel of the last frame: nearly always that of the next. */
  private lastChannel: Channel | null;
  private readonly exclusiveQueues: Set<Queue>;
  /** The chunk being scanned; publishes borrow from it. */
  private area: ByteArea;
  private bytesThisTurn: number;
  private isPaused: boolean;
  private readonly alarms: Alarms;
  private readonly held: HeldInput;
  /** Class and method id of the last method, for connection.close and channel.close. */
  private lastMethodId: number;
  private readonly confirming: Channel[];
  /** Null until a message with a large body leaves. */
  private large: LargeOutput | null;

  private readonly liveness: Liveness;
  /** The peer broke the framing: nothing it sends can be read any more. */
  private hasLostFraming: boolean;

  constructor(socket: Socket, services: AmqpServices, events: ConnectionEvents, logger: Logger) {
    const { config } = services;
    const nowMs = performance.now();
    this.description = `${socket.remoteAddress}:${socket.remotePort} -> ${socket.localAddress}:${socket.localPort}`;
    this.output = new Output(socket, services.slabs, this);
    this.frameMax = config.frameMaxBytes;
    this.knowsConsumerCancel = false;
    this.socket = socket;
    this.services = services;
    this.events = events;
    this.logger = logger.child({ component: 'amqp', conn: this.description });
    this.scanner = new FrameScanner(this, HANDSHAKE_PAYLOAD_MAX);
    this.reader = new ByteReader();
    this.phase = 'header';
    this.headerBytes = Buffer.alloc(0);
    this.handshake = null;
    this.session = null;
    this.sessionActor = null;
    this.channelMax = config.channelMax;
    this.channels = new Map();
    this.lastChannel = null;
    this.exclusiveQueues = new Set();
    this.area = new ByteArea(this.headerBytes);
    this.bytesThisTurn = 0;
    this.isPaused = false;
    this.alarms = services.broker.alarms;
    this.held = new HeldInput(this.alarms, this.output, this);
    this.lastMethodId = 0;
    this.confirming = [];
    this.large = null;
    this.liveness = new Liveness(nowMs, nowMs + config.handshakeTimeoutMs);
    this.hasLostFraming = false;
    socket.setNoDelay(true);
    services.reader.read(socket, (area, size) => this.received(area, size));
    socket.on('error', (err) => {
      this.logger.debug({ event: 'connection.error', err }, 'the socket fails');
    });
    socket.on('close', () => this.socketClosed());
  }

  get vhost(): Vhost {
    if (this.session === null) throw new Error('the connection has no vhost yet');
    return this.session.vhost;
  }

  get actor(): Actor {
    if (this.sessionActor === null) throw new Error('the connection has no user yet');
    return this.sessionActor;
  }

  /** Memory that it and its channels hold, in bytes, besides output. */
  get memoryBytes(): number {
    let bytes = this.held.size;
    for (const channel of this.channels.values()) bytes += channel.memoryBytes;
    return bytes;
  }

  get maxMessageSizeBytes(): number {
    return this.services.config.maxMessageSizeBytes;
  }

  get largeOutput(): LargeOutput {
    this.large ??= new LargeOutput(this.output, this.services.slabs, this.frameMax);
    return this.large;
  }

  // --- reading ---------------------------------------------------------------------------------

  /** HOT per read. Carries out `area.buf[0..size)`, which is borrowed. */
  private received(area: ByteArea, size: number): void {
    this.liveness.hasReceived = true;
    if (this.hasLostFraming) return;
    if (this.held.isActive) {
      this.hold(area.buf.subarray(0, size));
      return;
    }
    if (this.phase === 'header') {
      const rest = this.readHeader(area.buf.subarray(0, size));
      if (rest !== null && rest.length > 0) this.scan(new ByteArea(rest), rest.length);
      return;
    }
    this.scan(area, size);
  }

  /** Takes the first 8 bytes; what lies behind them when they are right, null otherwise. */
  private readHeader(chunk: Buffer): Buffer | null {
    const bytes = Buffer.concat([this.headerBytes, chunk]);
    this.headerBytes = bytes.subarray(0, PROTOCOL_HEADER.length);
    if (bytes.length < PROTOCOL_HEADER.length) return null;
    if (!isAcceptedHeader(this.headerBytes)) {
      this.logger.warn(
        { event: 'connection.refuse', bytes: this.headerBytes.toString('latin1') },
        'the client does not speak AMQP 0-9-1: it sent another protocol header, HTTP or TLS',
      );
      this.phase = 'closing';
      this.socket.end(PROTOCOL_HEADER);
      return null;
    }
    this.phase = 'handshake';
    const peer = this.socket.remoteAddress ?? '';
    this.handshake = new Handshake(this.services, peer, this.output, this.logger);
    this.handshake.start();
    return bytes.subarray(PROTOCOL_HEADER.length);
  }

  /** HOT per chunk. Carries out `area.buf[0..size)`; past the turn's share the socket is paused. */
  private scan(area: ByteArea, size: number): void {
    this.area = area;
    try {
      const end = this.scanner.scan(area.buf, 0, size);
      if (this.held.isActive) this.hold(area.buf.subarray(end, size));
    } catch (error) {
      this.lastMethodId = 0;
      this.hasLostFraming = true;
      this.fail(error, null);
    }
    this.bytesThisTurn += size;
    const share = this.isAhead() ? PARSE_BYTES_PER_TURN_BEHIND : PARSE_BYTES_PER_TURN;
    if (this.bytesThisTurn >= share || this.mustWait) this.pause();
  }

  /** Whether the peer takes no output, or the disk cannot keep up with the large body that it sends. */
  private get mustWait(): boolean {
    const takesNoOutput =
      this.output.pendingBytes > PENDING_OUTPUT_MAX || this.large?.isOverdue === true;
    return takesNoOutput || this.bodyOutpacesDisk;
  }

  private get bodyOutpacesDisk(): boolean {
    const writer = this.lastChannel?.content.writer ?? null;
    return writer !== null && this.vhost.store.largeFiles.isBehind;
  }

  /** Whether the last publish went to a queue that cannot keep up though its consumers could. */
  private isAhead(): boolean {
    return this.lastChannel?.publishesAhead === true;
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
    this.services.broker.reactor.resumeLater(this);
  }

  /** The next turn: the connection has its share again. */
  resume(): void {
    this.isPaused = false;
    this.bytesThisTurn = 0;
    if (this.phase === 'closed') return;
    if (this.mustWait) {
      // outputDrained comes back to this, or largeContentEnded, or the disk.
      this.isPaused = true;
      if (this.bodyOutpacesDisk) {
        this.vhost.store.largeFiles.whenCaughtUp(() =>
          this.services.broker.reactor.resumeLater(this),
        );
      }
      return;
    }
    if (this.held.isActive && this.mayGoOn) {
      const bytes = this.held.end(this.phase !== 'running');
      this.scan(new ByteArea(bytes), bytes.length);
      if (this.isPaused) return;
    }
    if (!this.held.isFull) this.socket.resume();
  }

  /** Whether what is held may be carried out, or dropped because the connection closes. */
  private get mayGoOn(): boolean {
    return this.phase !== 'running' || this.held.mayEnd;
  }

  /** Keeps bytes that an alarm holds back. */
  private hold(bytes: Buffer): void {
    this.held.keep(bytes);
    if (this.held.isFull) this.socket.pause();
  }

  /** Stops the scan before the method frame at `buf[start..end)`; the offset at which it stops. */
  private stopBefore(method: HeldMethod, buf: Buffer, start: number, end: number): number {
    const at = start - FRAME_HEADER_SIZE;
    // A frame that came in pieces lies in the scanner's own memory, and the rest of the chunk behind it.
    this.held.begin(method, buf === this.area.buf ? null : Buffer.from(buf.subarray(at, end + 1)));
    this.scanner.stopRequested = true;
    return at;
  }

  heldInputMayEnd(): void {
    this.services.broker.reactor.resumeLater(this);
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
    if (type === FRAME_METHOD && channel !== null && end - start > 4) {
      const area = buf === this.area.buf ? this.area : new ByteArea(buf);
      const methodId = area.view.getUint32(start);
      if (methodId === BASIC_PUBLISH_ID && channel.isReadyForMethod) {
        if (this.alarms.holdsPublishes) return this.stopBefore('publish', buf, start, end);
        this.lastMethodId = methodId;
        const next = locatePublish(area, start, end, limit, number, this.frameMax, channel.content);
        if (next > 0) {
          this.publish(channel);
          return next;
        }
      } else if (methodId === BASIC_ACK_ID && channel.isReadyForMethod && end - start === 13) {
        this.lastMethodId = methodId;
        try {
          channel.settle(
            basicAckDeliveryTag(buf, start + 4),
            basicAckMultiple(buf, start + 4),
            true,
          );
        } catch (error) {
          this.fail(error, channel);
        }
        return end + 1;
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
      this.fail(error, channel);
    }
  }

  private channelAt(number: number): Channel | null {
    const last = this.lastChannel;
    if (last !== null && last.number === number) return last;
    const channel = this.channels.get(number) ?? null;
    if (channel !== null) this.lastChannel = channel;
    return channel;
  }

  private publish(channel: Channel): void {
    try {
      channel.publish();
    } catch (error) {
      this.fail(error, channel);
    }
  }

  private handleFrame(
    type: number,
    number: number,
    channel: Channel | null,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    // Until a method is read, no method is to blame.
    if (type !== FRAME_HEADER && type !== FRAME_BODY) this.lastMethodId = 0;
    try {
      if (this.phase === 'closing' || this.phase === 'closed')
        this.whileClosing(type, number, buf, start, end);
      else if (type === FRAME_HEARTBEAT) this.heartbeat(number);
      else if (type !== FRAME_METHOD && type !== FRAME_HEADER && type !== FRAME_BODY) {
        throw unknownFrame(type, buf, start, end);
      } else if (number === 0) this.onChannelZero(type, buf, start, end);
      else if (this.phase !== 'running') {
        throw strayFrame(`type ${type}, all octets = <<>>: before connection.open-ok`);
      } else if (channel === null) this.withoutChannel(type, number, buf, start, end);
      else if (channel.isClosing) this.whileChannelCloses(channel, type, buf, start, end);
      else this.onChannel(channel, type, buf, start, end);
    } catch (error) {
      if (error instanceof HeldByAlarm) this.stopBefore('definition', buf, start, end);
      else this.fail(error, channel);
    }
  }

  private heartbeat(number: number): void {
    if (number !== 0) throw strayFrame('heartbeat frame on a channel other than 0');
  }

  private readMethodId(buf: Buffer, start: number, end: number): number {
    this.reader.reset(buf, start, end);
    this.lastMethodId = this.reader.u32();
    return this.lastMethodId;
  }

  private onChannel(channel: Channel, type: number, buf: Buffer, start: number, end: number): void {
    const { content } = channel;
    if (content.phase !== 'method') this.lastMethodId = BASIC_PUBLISH_ID;
    if (content.phase === 'header') {
      if (type !== FRAME_HEADER) {
        throw unexpectedFrame(NO_HEADER_FRAME);
      }
      if (content.header(buf, start, end, this.maxMessageSizeBytes)) this.finishContent(channel);
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
    if (methodId === BASIC_PUBLISH_ID) content.begin(buf, start + 4, end);
    else if (!dispatchToServer(channelMethods, channel, methodId, this.reader)) {
      throw unknownMethod(methodId);
    }
  }

  private takeBody(channel: Channel, buf: Buffer, start: number, end: number, ends: boolean): void {
    if (channel.isClosing) return;
    if (channel.content.phase !== 'body') {
      throw channel.content.phase === 'header'
        ? unexpectedFrame(NO_HEADER_FRAME)
        : strayFrame(NO_METHOD_FRAME);
    }
    if (channel.content.body(buf, start, end) && ends) this.finishContent(channel);
  }

  private finishContent(channel: Channel): void {
    try {
      channel.publish();
    } finally {
      channel.content.reset();
    }
  }

  /** A frame on a channel that is not open. */
  private withoutChannel(
    type: number,
    number: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const methodId = type === FRAME_METHOD ? this.readMethodId(buf, start, end) : 0;
    if (methodId === CHANNEL_CLOSE_OK_ID) return;
    if (methodId !== CHANNEL_OPEN_ID) throw channelError("expected 'channel.open'");
    if (this.channelMax !== 0 && this.channels.size >= this.channelMax) {
      throw notAllowed(
        `number of channels opened (${this.channels.size}) ` +
          `has reached the negotiated channel_max (${this.channelMax})`,
        0,
      );
    }
    const channel = new Channel(number, this);
    this.channels.set(number, channel);
    this.output.writeMethod(sizeOfChannelOpenOk(), (out, at) =>
      encodeChannelOpenOk(out, at, number),
    );
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
    if (methodId === CHANNEL_CLOSE_OK_ID) this.forget(channel);
    else if (methodId === CHANNEL_CLOSE_ID) {
      const { number } = channel;
      channel.afterContent(() =>
        this.output.writeMethod(sizeOfChannelCloseOk(), (out, at) =>
          encodeChannelCloseOk(out, at, number),
        ),
      );
    }
  }

  // --- channel 0 -------------------------------------------------------------------------------

  private onChannelZero(type: number, buf: Buffer, start: number, end: number): void {
    if (type !== FRAME_METHOD) throw strayFrame(NO_METHOD_FRAME);
    const methodId = this.readMethodId(buf, start, end);
    const { handshake } = this;
    if (methodId === CONNECTION_CLOSE_ID) this.clientCloses();
    else if (handshake === null) {
      throw channelError('unexpected method in connection state running');
    } else {
      const session = handshake.receive(methodId, this.reader);
      if (session !== null) this.opened(session);
    }
  }

  private opened(session: Session): void {
    const { vhost, userName, permissions } = session;
    this.handshake = null;
    this.session = session;
    this.services.openConnections.add();
    this.sessionActor = { userName, permissions, owner: this };
    this.phase = 'running';
    this.frameMax = session.frameMax;
    this.channelMax = session.channelMax;
    this.knowsConsumerCancel = session.knowsConsumerCancel;
    this.held.knowsBlocked = session.knowsBlocked;
    this.scanner.maxPayloadSize = session.frameMax;
    this.liveness.begin(session.heartbeatSeconds * 1000);
    this.logger.info(
      { event: 'connection.open', vhost: vhost.name, user: userName },
      'connection is open',
    );
  }

  private clientCloses(): void {
    this.release();
    this.phase = 'closing';
    this.output.writeMethod(sizeOfConnectionCloseOk(), (buf, at) =>
      encodeConnectionCloseOk(buf, at, 0),
    );
    this.output.flush();
    this.socket.end();
    this.liveness.expectBy(performance.now() + CLOSE_TIMEOUT_MS);
  }

  private whileClosing(
    type: number,
    number: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    if (type !== FRAME_METHOD || number !== 0 || end - start < 4) return;
    const methodId = buf.readUInt32BE(start);
    if (methodId === CONNECTION_CLOSE_OK_ID) {
      this.output.flush();
      this.socket.end();
    } else if (methodId === CONNECTION_CLOSE_ID) {
      this.output.writeMethod(sizeOfConnectionCloseOk(), (out, at) =>
        encodeConnectionCloseOk(out, at, 0),
      );
    }
  }

  // --- errors and ends -------------------------------------------------------------------------

  /** Answers an error: the channel ends, or the connection. */
  private fail(cause: unknown, channel: Channel | null): void {
    if (cause instanceof SilentRefusal) {
      this.closeSilently(cause.message);
      return;
    }
    const error = toProtocolError(cause);
    if (cause instanceof Error && !(cause instanceof ProtocolError) && error.message === '') {
      this.logger.error({ event: 'connection.fail', err: cause }, 'an unforeseen error');
    }
    if (error.cause !== undefined) {
      this.logger.error({ event: 'body.fail', err: error.cause }, 'a large body fails');
    }
    if (error.scope === 'connection' || channel === null || channel.isClosing) {
      this.closeWith(error);
      return;
    }
    const { number } = channel;
    this.logger.info(
      {
        event: 'channel.close',
        channel: number,
        replyCode: error.replyCode,
        reason: error.message,
      },
      'the server closes a channel',
    );
    channel.close();
    const method = this.closeReason(error);
    channel.afterContent(() =>
      this.output.writeMethod(sizeOfChannelClose(method), (buf, at) =>
        encodeChannelClose(buf, at, number, method),
      ),
    );
  }

  private closeReason(error: ProtocolError): {
    replyCode: number;
    replyText: string;
    classId: number;
    methodId: number;
  } {
    const blamed = error.methodId ?? this.lastMethodId;
    return {
      replyCode: error.replyCode,
      replyText: replyText(error),
      classId: blamed >>> 16,
      methodId: blamed & 0xffff,
    };
  }

  /** Drops the socket after a while: guessing passwords must not be quick. */
  private closeSilently(reason: string): void {
    this.logger.info({ event: 'connection.refuse', reason }, 'a client is dropped');
    this.phase = 'closing';
    this.liveness.expectBy(performance.now() + SILENT_CLOSE_MS);
  }

  private closeWith(error: ProtocolError): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    this.logger.info(
      { event: 'connection.close', replyCode: error.replyCode, reason: error.message },
      'the server closes a connection',
    );
    this.release();
    this.phase = 'closing';
    const timeoutMs = error.replyCode === FRAME_ERROR ? FRAME_ERROR_TIMEOUT_MS : CLOSE_TIMEOUT_MS;
    this.liveness.expectCloseWithin(performance.now(), timeoutMs);
    // The answer may lie behind what is held.
    if (this.held.isActive) this.heldInputMayEnd();
    const method = this.closeReason(error);
    this.output.writeMethod(sizeOfConnectionClose(method), (buf, at) =>
      encodeConnectionClose(buf, at, 0, method),
    );
  }

  /** Closes politely because the server stops. */
  shutDown(): void {
    if (this.phase !== 'running') {
      this.socket.destroy();
      return;
    }
    const text = "broker forced connection closure with reason 'shutdown'";
    this.closeWith(new ProtocolError(CONNECTION_FORCED, text, { methodId: 0 }));
    this.output.flush();
  }

  /** Drops the socket at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Ends all channels and exclusive queues; one that fails, as a broken disk may make it, stops no other. */
  private release(): void {
    // Before the answer leaves, so that the client finds room for the next one.
    if (this.phase === 'running') this.services.openConnections.remove();
    this.large?.close();
    for (const channel of [...this.channels.values()]) this.attempt(() => this.forget(channel));
    for (const queue of this.exclusiveQueues) this.attempt(() => removeQueue(this.vhost, queue));
  }

  private attempt(step: () => void): void {
    try {
      step();
    } catch (err) {
      this.logger.error({ event: 'connection.fail', err }, 'a step of its end fails');
    }
  }

  private forget(channel: Channel): void {
    this.channels.delete(channel.number);
    if (this.lastChannel === channel) this.lastChannel = null;
    if (!channel.isClosing) channel.close();
  }

  private socketClosed(): void {
    if (this.phase === 'closed') return;
    const wasRunning = this.phase === 'running';
    this.phase = 'closed';
    if (wasRunning) this.services.openConnections.remove();
    this.held.release();
    this.release();
    this.output.flush();
    if (wasRunning) {
      this.logger.info({ event: 'connection.lost' }, 'the client is gone without closing');
    }
    this.events.closed(this);
  }

  // --- for channels, output and the ticker -----------------------------------------------------

  channelClosed(channel: Channel): void {
    this.forget(channel);
  }

  largeContentEnded(channel: Channel, error: ProtocolError | null): void {
    if (error !== null && (error.scope === 'connection' || !channel.isClosing)) {
      this.fail(error, channel);
    }
    if (this.isPaused) this.services.broker.reactor.resumeLater(this);
  }

  ownsQueue(queue: Queue): void {
    this.exclusiveQueues.add(queue);
  }

  queueClosed(queue: Queue): void {
    this.exclusiveQueues.delete(queue);
  }

  confirmsReady(channel: Channel): void {
    if (this.confirming.length === 0) this.services.broker.reactor.markOutput(this);
    this.confirming.push(channel);
  }

  outputMarked(): void {
    this.services.broker.reactor.markOutput(this);
  }

  outputDrained(): void {
    this.large?.advance();
    for (const channel of this.channels.values()) {
      channel.wakeConsumers();
      channel.gets?.resume();
    }
    if (this.isPaused) this.services.broker.reactor.resumeLater(this);
  }

  /** End of the turn: confirms that wait for nothing leave, then all output. */
  flush(): void {
    const { confirming } = this;
    for (let i = 0; i < confirming.length; i++) confirming[i]!.sendConfirms();
    confirming.length = 0;
    this.output.flush();
    if (this.large !== null) this.large.advance();
  }

  private get isRead(): boolean {
    return !this.isPaused && !this.held.isActive;
  }

  /** Sends and judges heartbeats, and enforces deadlines; called a few times a second. */
  tick(nowMs: number): void {
    const action = this.liveness.check(nowMs, this.output.hasSent, this.isRead);
    this.output.hasSent = false;
    switch (action) {
      case 'nothing':
        return;
      case 'send-heartbeat':
        this.output.writeMethod(FRAME_OVERHEAD, encodeHeartbeat);
        return;
      case 'peer-is-gone':
        this.logger.warn({ event: 'heartbeat.miss' }, 'the client missed its heartbeats');
        break;
      case 'deadline-passed':
        if (this.phase !== 'closing') {
          this.logger.warn({ event: 'handshake.timeout' }, 'the client took too long to open');
        }
    }
    this.socket.destroy();
  }
}

/** `AMQP` 0 0 9 1, or `AMQP` 1 1 0 9 as early 0-9 clients sent it. */
function isAcceptedHeader(header: Buffer): boolean {
  return (
    header.equals(PROTOCOL_HEADER) ||
    (header.toString('latin1', 0, 4) === 'AMQP' && header.readUInt32BE(4) === 0x01010009)
  );
}

function unknownMethod(methodId: number): ProtocolError {
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
