/**
 * A connection: its socket, handshake, channels, heartbeats and output. It does not know queues but those that are
 * exclusive to it.
 *
 *     header -> handshake -> running -> closing -> closed
 *
 * - What its socket brings is paced in connection-input.ts, cut into frames and led to channels in frame-router.ts.
 * - An error on a channel closes the channel; one on channel 0, or a hard one, closes the connection. Nothing
 *   that a peer sends ends the process.
 */
import type { Socket } from 'node:net';
import {
  type ByteReader,
  CONNECTION_CLOSE_ID,
  CONNECTION_CLOSE_OK_ID,
  CONNECTION_FORCED,
  CONNECTION_UPDATE_SECRET_ID,
  decodeConnectionUpdateSecret,
  encodeHeartbeat,
  FRAME_ERROR,
  FRAME_OVERHEAD,
  PROTOCOL_HEADER,
} from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import type { Actor, Flushable, QueueOwner } from '../broker/ports.ts';
import type { Queue } from '../broker/queue.ts';
import { removeQueue } from '../broker/queues.ts';
import type { Leaving } from '../broker/reactor.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Channel, type ChannelConnection } from './channel.ts';
import { ConnectionInput, type ConnectionInputOwner } from './connection-input.ts';
import { ConnectionLogin } from './connection-login.ts';
import {
  closeReason,
  sendChannelClose,
  sendChannelCloseOk,
  sendChannelOpenOk,
  sendConnectionClose,
  sendConnectionCloseOk,
  sendUpdateSecretOk,
} from './connection-methods.ts';
import { FrameRouter, type FrameRouterOwner } from './frame-router.ts';
import { type Session, SilentRefusal } from './handshake.ts';
import { HeldInput, type HeldInputOwner } from './held-input.ts';
import { LargeOutput } from './large-output.ts';
import { Liveness } from './liveness.ts';
import { Output, type OutputOwner, type SlabPool } from './output.ts';
import { ProtocolError, tooManyChannels, toProtocolError } from './protocol-error.ts';
import type { RunWriter } from './run-writer.ts';
import type { AmqpServices } from './services.ts';
import { isEncrypted, type Transport } from './transport.ts';

/** A peer that takes no output is not read when this much waits for it. */
const PENDING_OUTPUT_MAX = 4 * 1024 * 1024;
/** Nor when so many replies wait for their turn, behind the disk or a body on its way. */
const OWED_REPLIES_MAX = 10_000;
/** How long a refused login waits before its socket is closed without a word. */
const SILENT_CLOSE_MS = 3000;
/**
 * How long a peer that has ended its side may take what it was still to be sent. The socket is ended behind that; a
 * peer that is gone never takes it, and TLS does not always tell: a reset behind the peer's last word goes unnoticed
 * where a write is under way.
 */
const END_TIMEOUT_MS = 3000;
/** How long the peer may take to answer connection.close. */
const CLOSE_TIMEOUT_MS = 30_000;
/** How long a peer that broke the framing may take. */
const FRAME_ERROR_TIMEOUT_MS = 1000;

/** Tag of a user who may publish in the name of others. */
const IMPERSONATOR = 'impersonator';

/** Where a connection stands. */
type Phase = 'header' | 'handshake' | 'running' | 'closing' | 'closed';

/** Told when a connection is over. */
export interface ConnectionEvents {
  closed(connection: Connection): void;
}

/** One client's connection. */
export class Connection
  implements
    ChannelConnection,
    ConnectionInputOwner,
    FrameRouterOwner,
    QueueOwner,
    OutputOwner,
    Flushable,
    HeldInputOwner,
    Leaving
{
  readonly description: string;
  readonly output: Output;
  frameMax: number;
  knowsConsumerCancel: boolean;
  private readonly socket: Socket;
  private readonly services: AmqpServices;
  private readonly events: ConnectionEvents;
  private readonly logger: Logger;
  private readonly held: HeldInput;
  private readonly router: FrameRouter;
  private readonly input: ConnectionInput;
  private phase: Phase;
  private readonly login: ConnectionLogin;
  private session: Session | null;
  private sessionActor: Actor | null;
  private channelMax: number;
  private readonly exclusiveQueues: Set<Queue>;
  /** Paused until replies have left. */
  private waitsForReplies: boolean;
  private readonly confirming: Channel[];
  /** Null until a message with a large body leaves. */
  private large: LargeOutput | null;

  /** The turn that sent its last output. */
  private sentInTurn: number;

  private readonly liveness: Liveness;

  constructor(
    transport: Transport,
    services: AmqpServices,
    events: ConnectionEvents,
    logger: Logger,
  ) {
    const { config } = services;
    const { socket, early } = transport;
    this.description = transport.description;
    this.output = new Output(socket, services.slabs, this);
    this.frameMax = config.frameMaxBytes;
    this.knowsConsumerCancel = false;
    this.socket = socket;
    this.services = services;
    this.events = events;
    this.logger = logger.child({ component: 'amqp', conn: this.description });
    const { alarms, reactor } = services.broker;
    this.held = new HeldInput(alarms, this.output, this);
    this.router = new FrameRouter(this, alarms, this.held, services.run, config.frameMaxBytes);
    this.input = new ConnectionInput(socket, this.router, this.held, reactor, this);
    this.phase = 'header';
    this.login = new ConnectionLogin(services, transport, this.output, this.logger);
    this.session = null;
    this.sessionActor = null;
    this.channelMax = config.channelMax;
    this.exclusiveQueues = new Set();
    this.waitsForReplies = false;
    this.confirming = [];
    this.large = null;
    this.sentInTurn = -1;
    this.liveness = new Liveness(
      performance.now(),
      transport.acceptedMs + config.handshakeTimeoutMs,
    );
    services.reader.read(socket, (area, size) => this.received(area, size));
    socket.on('error', (err) => {
      this.logger.debug({ event: 'connection.error', err }, 'the socket fails');
    });
    // Node would close it at once, and thousands that are left in the same instant all in one go.
    socket.allowHalfOpen = true;
    socket.on('end', () => this.peerLeft());
    socket.on('close', () => this.socketClosed());
    if (early !== null) this.received(new ByteArea(early), early.length);
  }

  get vhost(): Vhost {
    if (this.session === null) throw new Error('the connection has no vhost yet');
    return this.session.vhost;
  }

  get actor(): Actor {
    if (this.sessionActor === null) throw new Error('the connection has no user yet');
    return this.sessionActor;
  }

  get runWriter(): RunWriter {
    return this.services.runWriter;
  }

  get slabs(): SlabPool {
    return this.services.slabs;
  }

  /** Memory that it and its channels hold, in bytes, besides output. */
  get memoryBytes(): number {
    let bytes = this.held.size + this.router.carriedBytes;
    for (const channel of this.router.channels.values()) bytes += channel.memoryBytes;
    return bytes;
  }

  /** Lets go of memory that it does not need at rest; returns how much, in bytes. */
  rest(): number {
    let bytes = 0;
    for (const channel of this.router.channels.values()) bytes += channel.rest();
    return bytes;
  }

  get maxMessageSizeBytes(): number {
    return this.services.config.maxMessageSizeBytes;
  }

  get consumersPerChannelMax(): number {
    return this.services.config.consumersPerChannelMax;
  }

  get largeOutput(): LargeOutput {
    this.large ??= new LargeOutput(this.output, this.services.slabs, this.frameMax);
    return this.large;
  }

  // --- reading ---------------------------------------------------------------------------------

  /** HOT per read. Carries out `area.buf[0..size)`, which is borrowed. */
  private received(area: ByteArea, size: number): void {
    this.liveness.hasReceived = true;
    const { reactor } = this.services.broker;
    if (this.sentInTurn === reactor.turnNumber - 1) reactor.busyWait.answered();
    if (this.phase !== 'header') this.input.received(area, size);
    else this.receivedHeader(area.buf.subarray(0, size));
    if (this.session === null && !this.login.noteMemory(this.router.carriedBytes)) this.destroy();
  }

  private receivedHeader(chunk: Buffer): void {
    const rest = this.login.takeHeader(chunk);
    if (rest === null) return;
    if (!this.login.begin()) {
      this.phase = 'closing';
      this.socket.end(PROTOCOL_HEADER);
      return;
    }
    this.phase = 'handshake';
    if (rest.length > 0) this.input.received(new ByteArea(rest), rest.length);
  }

  get isRunning(): boolean {
    return this.phase === 'running';
  }

  get isClosing(): boolean {
    return this.phase === 'closing' || this.phase === 'closed';
  }

  get isClosed(): boolean {
    return this.phase === 'closed';
  }

  get mustWait(): boolean {
    const takesNoOutput =
      this.output.pendingBytes > PENDING_OUTPUT_MAX || this.large?.isOverdue === true;
    return takesNoOutput || this.owesTooMuch || this.bodyOutpacesDisk;
  }

  /** Whether a peer asks faster than it can be answered, perhaps because it does not read. */
  private get owesTooMuch(): boolean {
    return this.output.owedReplies > OWED_REPLIES_MAX;
  }

  private get bodyOutpacesDisk(): boolean {
    const writer = this.router.lastChannel?.content.writer ?? null;
    return writer !== null && this.vhost.store.largeFiles.isBehind;
  }

  /** outputDrained, flush and largeContentEnded come back to the input; of the disk it must be asked. */
  watchWhatItWaitsFor(): void {
    this.waitsForReplies = this.owesTooMuch;
    if (!this.bodyOutpacesDisk) return;
    this.vhost.store.largeFiles.whenCaughtUp(() => this.input.resumeLater());
  }

  heldInputMayEnd(): void {
    this.input.resumeLater();
  }

  framingLost(error: unknown): void {
    this.router.lastMethodId = 0;
    this.fail(error, null);
  }

  openChannel(number: number): void {
    const { size } = this.router.channels;
    if (this.channelMax !== 0 && size >= this.channelMax) {
      throw tooManyChannels(size, this.channelMax);
    }
    this.router.channels.set(number, new Channel(number, this));
    sendChannelOpenOk(this.output, number);
  }

  answerClose(channel: Channel): void {
    const { number } = channel;
    channel.afterContent(() => sendChannelCloseOk(this.output, number));
  }

  // --- channel 0 -------------------------------------------------------------------------------

  methodOfConnection(methodId: number, reader: ByteReader): void {
    if (methodId === CONNECTION_CLOSE_ID) this.clientCloses();
    else if (methodId === CONNECTION_UPDATE_SECRET_ID && this.isRunning) {
      // A new token for an identity provider: there is none here, and a password does not expire.
      decodeConnectionUpdateSecret(reader);
      sendUpdateSecretOk(this.output);
    } else {
      const session = this.login.receive(methodId, reader);
      if (session !== null) this.opened(session);
    }
  }

  private opened(session: Session): void {
    const { vhost, userName, permissions } = session;
    this.session = session;
    this.services.openConnections.add();
    const canImpersonate = this.services.users.find(userName)?.tags.includes(IMPERSONATOR) === true;
    this.sessionActor = { userName, permissions, canImpersonate, owner: this };
    this.phase = 'running';
    this.frameMax = session.frameMax;
    this.router.tuned(session.frameMax);
    this.channelMax = session.channelMax;
    this.knowsConsumerCancel = session.knowsConsumerCancel;
    this.held.knowsBlocked = session.knowsBlocked;
    this.liveness.begin(session.heartbeatSeconds * 1000);
    this.logger.info(
      { event: 'connection.open', vhost: vhost.name, user: userName },
      'connection is open',
    );
  }

  private clientCloses(): void {
    this.release();
    this.phase = 'closing';
    sendConnectionCloseOk(this.output);
    this.output.flush();
    this.socket.end();
    this.liveness.expectBy(performance.now() + CLOSE_TIMEOUT_MS);
  }

  methodWhileClosing(methodId: number): void {
    if (methodId === CONNECTION_CLOSE_OK_ID) {
      this.output.flush();
      this.socket.end();
    } else if (methodId === CONNECTION_CLOSE_ID) {
      sendConnectionCloseOk(this.output);
    }
  }

  // --- errors and ends -------------------------------------------------------------------------

  /** Answers an error: the channel ends, or the connection. */
  fail(cause: unknown, channel: Channel | null): void {
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
    const reason = closeReason(error, this.router.lastMethodId);
    channel.afterContent(() => sendChannelClose(this.output, number, reason));
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
    if (this.held.isActive) this.heldInputMayEnd(); // the answer may lie behind what is held
    sendConnectionClose(this.output, closeReason(error, this.router.lastMethodId));
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
    const channels = [...this.router.channels.values()];
    for (const channel of channels) this.attempt(() => this.forget(channel));
    for (const queue of this.exclusiveQueues) this.attempt(() => removeQueue(this.vhost, queue));
  }

  private attempt(step: () => void): void {
    try {
      step();
    } catch (err) {
      this.logger.error({ event: 'connection.fail', err }, 'a step of its end fails');
    }
  }

  forget(channel: Channel): void {
    const { router } = this;
    router.channels.delete(channel.number);
    if (router.lastChannel === channel) router.lastChannel = null;
    if (!channel.isClosing) channel.close();
  }

  /** The peer sends nothing any more. */
  private peerLeft(): void {
    this.liveness.expectAtLatestBy(performance.now() + END_TIMEOUT_MS);
    this.output.isBlocked = true; // what is delivered to it now would be lost
    if (!this.socket.writableEnded) this.services.broker.reactor.leaveLater(this);
  }

  /** Its turn to be closed has come. */
  leave(): void {
    const { socket } = this;
    // TLS has a last word of its own.
    if (socket.writableLength > 0 || isEncrypted(socket)) socket.end();
    else socket.destroy();
  }

  private socketClosed(): void {
    if (this.phase === 'closed') return;
    const wasRunning = this.phase === 'running';
    this.phase = 'closed';
    this.login.release();
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
    this.input.resumeIfPaused();
  }

  getsEnded(): void {
    if (this.held.isActive) this.input.resumeLater();
  }

  heldOutputReleased(): void {
    this.input.resumeIfPaused();
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
    for (const channel of this.router.channels.values()) {
      channel.wakeConsumers();
      channel.gets?.resume();
    }
    this.input.resumeIfPaused();
  }

  /** End of the turn: confirms that wait for nothing leave, then all output. */
  flush(): void {
    const { confirming } = this;
    for (let i = 0; i < confirming.length; i++) confirming[i]!.sendConfirms();
    confirming.length = 0;
    this.output.endTurn();
    this.sentInTurn = this.services.broker.reactor.turnNumber;
    if (this.waitsForReplies && !this.owesTooMuch) {
      this.waitsForReplies = false;
      this.input.resumeLater();
    }
    if (this.large !== null) this.large.advance();
  }

  /** Sends and judges heartbeats, and enforces deadlines; called a few times a second. */
  tick(nowMs: number): void {
    const action = this.liveness.check(nowMs, this.output.hasSent, this.input.isRead);
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
        if (this.phase === 'header' || this.phase === 'handshake') {
          this.logger.warn({ event: 'handshake.timeout' }, 'the client took too long to open');
        }
    }
    this.socket.destroy();
  }
}
