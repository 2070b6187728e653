/**
 * The beginning of a connection: the protocol header, then the handshake; and what it may cost until that is over.
 */
import type { ByteReader } from '../../generated/index.ts';
import type { Logger } from '../telemetry/logger.ts';
import { guessProtocol } from './guess-protocol.ts';
import { Handshake, type Peer, type Session } from './handshake.ts';
import { HandshakeShare } from './handshake-memory.ts';
import type { MethodWriter } from './output.ts';
import { channelError } from './protocol-error.ts';
import { ProtocolHeaderReader } from './protocol-header.ts';
import type { AmqpServices } from './services.ts';

/** One connection's way to its session. */
export class ConnectionLogin {
  private readonly header: ProtocolHeaderReader;
  /** Null once there is a session. */
  private handshake: Handshake | null;
  private readonly share: HandshakeShare;
  private readonly logger: Logger;

  constructor(services: AmqpServices, peer: Peer, output: MethodWriter, logger: Logger) {
    const { isLoopback, identity } = peer;
    this.header = new ProtocolHeaderReader();
    this.handshake = new Handshake(services, { isLoopback, identity }, output, logger);
    this.share = new HandshakeShare(services.handshakes);
    this.logger = logger;
  }

  /** Takes what came first; what lies behind the header once that is there, null before. */
  takeHeader(chunk: Buffer): Buffer | null {
    return this.header.take(chunk);
  }

  /** Begins the handshake; false when the client speaks something else. */
  begin(): boolean {
    const { header } = this;
    if (header.isAccepted) {
      this.handshake?.start();
      return true;
    }
    const bytes = header.bytes.toString('latin1');
    this.logger.warn(
      { event: 'connection.refuse', bytes, ...guessProtocol(header.bytes) },
      'the client does not speak AMQP 0-9-1',
    );
    return false;
  }

  /**
   * Carries out a method of channel 0; the session when it was the last one of the handshake.
   *
   * @throws ProtocolError when the connection is to be closed, SilentRefusal when it is to be dropped
   */
  receive(methodId: number, reader: ByteReader): Session | null {
    const { handshake } = this;
    if (handshake === null) {
      throw channelError('unexpected method in connection state running');
    }
    const session = handshake.receive(methodId, reader);
    if (session !== null) {
      this.handshake = null;
      this.release();
    }
    return session;
  }

  /** Notes how many bytes of an incomplete frame are held; false when unfinished logins hold too much in all. */
  noteMemory(bytes: number): boolean {
    if (this.handshake === null || this.share.set(bytes)) return true;
    this.logger.warn(
      { event: 'connection.refuse', reason: 'memory' },
      'unfinished logins hold too much memory: a client is dropped',
    );
    return false;
  }

  /** It is over. */
  release(): void {
    this.share.release();
  }
}
