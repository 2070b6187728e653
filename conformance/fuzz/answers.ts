/**
 * Reads what a server says to a client that misbehaves, and judges it: whatever comes in, what goes out is AMQP.
 *
 * - Every frame is whole, every method one that a server sends, every content complete and in one piece.
 * - After channel.close nothing comes on that channel but a close-ok, until it is opened again; after
 *   connection.close nothing comes at all but a close-ok.
 * - A code ends what it may end: a channel, or the connection. 541, an error of the server, is none.
 */
import {
  ByteReader,
  type ChannelClose,
  type ConnectionClose,
  contentHeaderBodySize,
  decodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  METHODS,
  PROTOCOL_HEADER,
} from '../../generated/index.ts';
import type { Judge } from './foreign-answers.ts';

const PAYLOAD_MAX = 131_072;
/** What may end a channel. 506: the disk refuses a large body. */
const CHANNEL_CODES = [403, 404, 405, 406, 506];
/** What may end a connection; 403 only before it is open. */
const CONNECTION_CODES = [501, 502, 503, 504, 505, 530, 540];
const LOGIN_REFUSED = 403;

/** What a channel of the client is known by. */
interface ChannelState {
  /** The server has closed it. */
  isClosed: boolean;
  /** A method whose content is not complete; '' when none is. */
  content: string;
  /** Octets of its body that are still to come; -1: its header is. */
  left: number;
}

/** How a session ended, as far as the server said. */
export type Ending =
  /** Nothing was said. */
  | 'nothing'
  /** The client's close was answered. */
  | 'close-ok'
  /** The server closed the connection. */
  | 'close'
  /** Another protocol was proposed. */
  | 'header';

/** One connection's answers. */
export class Answers implements FrameSink, Judge {
  readonly complaints: string[] = [];
  /** Names that the server gave to queues, or confirmed. */
  readonly declaredQueues: string[] = [];
  ending: Ending = 'nothing';
  /** Code and text of the server's connection.close. */
  reason = '';
  private isOpen = false;
  private readonly scanner = new FrameScanner(this, PAYLOAD_MAX);
  private readonly channels: Map<number, ChannelState> = new Map();
  private isFirst = true;

  get outcome(): string {
    return this.ending === 'close' ? `close ${this.reason.slice(0, 3)}` : this.ending;
  }

  /** Takes bytes as they come. */
  receive(chunk: Buffer): void {
    if (this.complaints.length > 0) return;
    if (this.isFirst && chunk.equals(PROTOCOL_HEADER)) {
      this.ending = 'header';
      return;
    }
    this.isFirst = false;
    if (this.ending === 'header') this.complain('bytes follow the protocol header');
    try {
      this.scanner.scan(chunk, 0, chunk.length);
    } catch (error) {
      this.complain(`what comes is no frame: ${String(error)}`);
    }
  }

  /** The socket has ended. */
  end(): void {
    if (this.scanner.midFrame) this.complain('the last frame is cut');
  }

  onFrame(type: number, channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_HEARTBEAT) {
      if (channel !== 0 || end > start) this.complain('a heartbeat is not empty, or on a channel');
    } else if (type === FRAME_METHOD) this.method(channel, buf, start, end);
    else if (type === FRAME_HEADER) this.header(channel, buf, start);
    else if (type === FRAME_BODY) this.body(channel, end - start, true);
    else this.complain(`a frame of type ${type}`);
    return end + 1;
  }

  onBodyPiece(channel: number, _buf: Buffer, start: number, end: number, left: number): void {
    this.body(channel, end - start, left === 0);
  }

  private method(number: number, buf: Buffer, start: number, end: number): void {
    const id = buf.readUInt32BE(start);
    const info = METHODS.find((method) => method.id === id);
    if (info === undefined || !info.toClient) {
      this.complain(`method ${id} is none of a server`);
      return;
    }
    const reader = new ByteReader(buf, start + 4, end);
    const method = decodeMethod(id, reader);
    const name = method?.name ?? '';
    if (reader.at !== end) this.complain(`${name} does not end with its frame`);
    if (this.ending === 'close' && name !== 'connection.close-ok') {
      this.complain(`${name} comes after connection.close`);
    }
    const channel = this.channel(number);
    if (channel.content !== '') this.complain(`${name} comes inside of a ${channel.content}`);
    if (name === 'channel.open-ok') channel.isClosed = false;
    else if (channel.isClosed && name !== 'channel.close-ok') {
      this.complain(`${name} comes after channel.close`);
    }
    if (info.content) Object.assign(channel, { content: name, left: -1 });
    if (method?.name === 'channel.close') this.channelClosed(channel, method.args);
    if (method?.name === 'connection.close') this.connectionClosed(method.args);
    if (method?.name === 'connection.open-ok') this.isOpen = true;
    if (method?.name === 'queue.declare-ok') this.declaredQueues.push(method.args.queue);
    if (name === 'connection.close-ok' && this.ending !== 'close') this.ending = 'close-ok';
  }

  private channelClosed(channel: ChannelState, close: ChannelClose): void {
    channel.isClosed = true;
    if (CHANNEL_CODES.includes(close.replyCode)) return;
    this.complain(`a channel ends with ${close.replyCode} ${close.replyText}`);
  }

  private connectionClosed({ replyCode, replyText }: ConnectionClose): void {
    this.ending = 'close';
    this.reason = `${replyCode} ${replyText}`;
    const isRefusedLogin = replyCode === LOGIN_REFUSED && !this.isOpen;
    if (CONNECTION_CODES.includes(replyCode) || isRefusedLogin) return;
    this.complain(`the connection ends with ${this.reason}`);
  }

  private header(number: number, buf: Buffer, start: number): void {
    const channel = this.channel(number);
    if (channel.content === '' || channel.left >= 0) {
      this.complain(`a content header on channel ${number} follows no method`);
      return;
    }
    channel.left = contentHeaderBodySize(buf, start);
    if (channel.left === 0) channel.content = '';
  }

  private body(number: number, size: number, isWhole: boolean): void {
    const channel = this.channel(number);
    if (channel.content === '' || channel.left < size) {
      this.complain(`a body on channel ${number} that no header announced`);
      return;
    }
    channel.left -= size;
    if (isWhole && channel.left === 0) channel.content = '';
  }

  private channel(number: number): ChannelState {
    let channel = this.channels.get(number);
    if (channel === undefined) {
      channel = { isClosed: false, content: '', left: 0 };
      this.channels.set(number, channel);
    }
    return channel;
  }

  private complain(text: string): void {
    this.complaints.push(text);
  }
}
