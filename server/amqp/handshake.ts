/**
 * The handshake of a connection: start, tune, open (spec 2.2.4). It decides who the client is, what was tuned
 * and which vhost is opened; the connection owns the socket and forgets the handshake once it is over.
 *
 *     server: start          tune            open-ok
 *     client:       start-ok      tune-ok open
 */
import {
  ACCESS_REFUSED,
  type ByteReader,
  CONNECTION_OPEN_ID,
  CONNECTION_START_OK_ID,
  CONNECTION_TUNE_ID,
  CONNECTION_TUNE_OK_ID,
  type ConnectionOpen,
  type ConnectionStartOk,
  type ConnectionTuneOk,
  type Credentials,
  decodeConnectionOpen,
  decodeConnectionStartOk,
  decodeConnectionTuneOk,
  encodeConnectionOpenOk,
  encodeConnectionTune,
  type FieldTable,
  FRAME_MIN_SIZE,
  parseAmqplain,
  parsePlain,
  SYNTAX_ERROR,
  sizeOfConnectionOpenOk,
  sizeOfConnectionTune,
} from '../../generated/index.ts';
import type { Permissions } from '../auth/permissions.ts';
import type { User } from '../auth/user.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MethodWriter } from './output.ts';
import { channelError, notAllowed, ProtocolError } from './protocol-error.ts';
import type { AmqpServices } from './services.ts';
import type { Transport } from './transport.ts';

/** Mechanisms offered to everybody, in the server's order of preference. */
const MECHANISMS = 'PLAIN AMQPLAIN';
/** Offered, behind these, to clients whose certificate stands for a user. */
const EXTERNAL = 'EXTERNAL';

/** What a handshake ends with. */
export interface Session {
  readonly userName: string;
  readonly vhost: Vhost;
  readonly permissions: Permissions;
  /** Largest frame, in bytes with its framing. */
  readonly frameMax: number;
  readonly channelMax: number;
  /** 0: no heartbeats. */
  readonly heartbeatSeconds: number;
  /** Whether the client understands a basic.cancel from the server. */
  readonly knowsConsumerCancel: boolean;
  /** Whether the client understands connection.blocked. */
  readonly knowsBlocked: boolean;
}

/** A login that is answered by closing the socket after a while, without a word. */
export class SilentRefusal extends Error {}

/** What the handshake knows of the client's end of the socket. */
export type Peer = Pick<Transport, 'isLoopback' | 'identity'>;

/** Whom a client says to be, and what came of it. */
type LoginAttempt =
  | { readonly name: string; readonly user: User; readonly refusal: null }
  | { readonly name: string; readonly user: null; readonly refusal: string };

/** Which answer is awaited, in RabbitMQ's words for a connection's states. */
type Step = 'starting' | 'tuning' | 'opening';

/** One connection's handshake. */
export class Handshake {
  private readonly services: AmqpServices;
  private readonly peer: Peer;
  private readonly output: MethodWriter;
  private readonly logger: Logger;
  private step: Step;
  private userName: string;
  private knowsLoginFailure: boolean;
  private knowsConsumerCancel: boolean;
  private knowsBlocked: boolean;
  private tuned: ConnectionTuneOk;

  constructor(services: AmqpServices, peer: Peer, output: MethodWriter, logger: Logger) {
    const { channelMax, frameMaxBytes, heartbeatSeconds } = services.config;
    this.services = services;
    this.peer = peer;
    this.output = output;
    this.logger = logger;
    this.step = 'starting';
    this.userName = '';
    this.knowsLoginFailure = false;
    this.knowsConsumerCancel = false;
    this.knowsBlocked = false;
    this.tuned = { channelMax, frameMax: frameMaxBytes, heartbeat: heartbeatSeconds };
  }

  /** Sends connection.start: the client's protocol header was right. */
  start(): void {
    const frame = this.services.greeting.frame(this.mechanisms);
    this.output.writeMethod(frame.length, (buf, at) => at + frame.copy(buf, at));
  }

  /**
   * Carries out a method of channel 0; the session when it was the last one.
   *
   * @throws ProtocolError when the connection is to be closed, SilentRefusal when it is to be dropped
   */
  receive(methodId: number, reader: ByteReader): Session | null {
    if (this.step === 'starting' && methodId === CONNECTION_START_OK_ID) {
      this.login(decodeConnectionStartOk(reader));
      return null;
    }
    if (this.step === 'tuning' && methodId === CONNECTION_TUNE_OK_ID) {
      this.tune(decodeConnectionTuneOk(reader));
      return null;
    }
    if (this.step === 'opening' && methodId === CONNECTION_OPEN_ID) {
      return this.open(decodeConnectionOpen(reader));
    }
    throw channelError(`unexpected method in connection state ${this.step}`);
  }

  private login(m: ConnectionStartOk): void {
    const { clientProperties, mechanism } = m;
    this.knowsLoginFailure = clientCapability(clientProperties, 'authentication_failure_close');
    this.knowsConsumerCancel = clientCapability(clientProperties, 'consumer_cancel_notify');
    this.knowsBlocked = clientCapability(clientProperties, 'connection.blocked');
    const { name, user, refusal } = this.authenticate(mechanism, m.response);
    if (user === null) {
      this.logger.warn({ event: 'login.refuse', user: name, refusal }, 'a login is refused');
      throw this.loginRefused(mechanism, refusal);
    }
    this.userName = user.name;
    this.step = 'tuning';
    const offer = this.tuned;
    this.output.writeMethod(sizeOfConnectionTune(offer), (buf, at) =>
      encodeConnectionTune(buf, at, 0, offer),
    );
  }

  /** What this client is offered. */
  private get mechanisms(): string {
    return this.peer.identity?.userName == null ? MECHANISMS : `${MECHANISMS} ${EXTERNAL}`;
  }

  /** @throws SilentRefusal when the mechanism is unknown here, ProtocolError when the response is none of its own */
  private authenticate(mechanism: string, response: Buffer): LoginAttempt {
    const { users } = this.services;
    const { isLoopback, identity } = this.peer;
    if (mechanism === EXTERNAL && identity !== null) {
      const { userName: name, refusal } = identity;
      if (name === null) return { name: '', user: null, refusal };
      return { name, ...users.admit(name, isLoopback) };
    }
    const credentials = parseResponse(mechanism, response);
    if (credentials === null) {
      throw new SilentRefusal(`unknown authentication mechanism '${mechanism}'`);
    }
    const { username: name, password } = credentials;
    return { name, ...users.authenticate(name, password, isLoopback) };
  }

  private loginRefused(mechanism: string, refusal: string): Error {
    if (!this.knowsLoginFailure) return new SilentRefusal(refusal);
    const text =
      `Login was refused using authentication mechanism ${mechanism}. ` +
      'For details see the broker logfile.';
    return new ProtocolError(ACCESS_REFUSED, text, { scope: 'connection', methodId: 0 });
  }

  private tune(m: ConnectionTuneOk): void {
    requireTuneWithin(this.tuned, m);
    this.tuned = m;
    this.step = 'opening';
  }

  private open(m: ConnectionOpen): Session {
    const { broker, users, openConnections } = this.services;
    openConnections.requireRoom();
    const vhost = broker.vhosts.get(m.virtualHost);
    if (vhost === undefined) throw notAllowed(`vhost ${m.virtualHost} not found`);
    const permissions = users.permissions(this.userName, vhost.name);
    if (permissions === null) {
      throw notAllowed(`access to vhost '${vhost.name}' refused for user '${this.userName}'`);
    }
    this.output.writeMethod(sizeOfConnectionOpenOk(), (buf, at) =>
      encodeConnectionOpenOk(buf, at, 0),
    );
    const { frameMax, channelMax, heartbeat: heartbeatSeconds } = this.tuned;
    const { userName, knowsConsumerCancel, knowsBlocked } = this;
    return {
      userName,
      vhost,
      permissions,
      frameMax,
      channelMax,
      heartbeatSeconds,
      knowsConsumerCancel,
      knowsBlocked,
    };
  }
}

/** The user and password in a SASL response; null when the mechanism is unknown. */
function parseResponse(mechanism: string, response: Buffer): Credentials | null {
  switch (mechanism) {
    case 'PLAIN':
      return parsePlain(response) ?? refuse('response is not in the form of PLAIN');
    case 'AMQPLAIN':
      return (
        parseAmqplain(response) ?? refuse('AMQPLAIN auth info is missing LOGIN or PASSWORD field')
      );
    default:
      return null;
  }
}

function refuse(text: string): never {
  throw new ProtocolError(SYNTAX_ERROR, text);
}

function clientCapability(clientProperties: FieldTable, name: string): boolean {
  const capabilities = clientProperties.get('capabilities');
  return capabilities?.tag === 'F' && capabilities.value.get(name)?.value === true;
}

/** @throws ProtocolError 530 when the client's answer is outside the offer */
export function requireTuneWithin(offer: ConnectionTuneOk, m: ConnectionTuneOk): void {
  if (m.frameMax !== 0 && m.frameMax < FRAME_MIN_SIZE) {
    throw tuneRefused(
      `frame_max = ${m.frameMax} is lower than the minimum allowed value (${FRAME_MIN_SIZE})`,
    );
  }
  requireNotAbove('frame_max', m.frameMax, offer.frameMax, '');
  requireNotAbove('channel_max', m.channelMax, offer.channelMax, ' (no limit)');
}

/** Zero asks for no limit; only of channel_max does RabbitMQ say so. */
function requireNotAbove(what: string, asked: number, offered: number, noLimit: string): void {
  if (offered === 0 || (asked !== 0 && asked <= offered)) return;
  const unlimited = asked === 0 ? noLimit : '';
  throw tuneRefused(
    `${what} = ${asked}${unlimited} is higher than the maximum allowed value (${offered})`,
  );
}

/** RabbitMQ blames the tune that it sent, not the answer. */
function tuneRefused(text: string): ProtocolError {
  return notAllowed(`negotiated ${text}`, CONNECTION_TUNE_ID);
}
