/**
 * What a connection has received and must not carry out yet: its next publish, or a durable declare, because an alarm
 * holds it back; or an ack of what a basic.get before it still waits for.
 *
 * Nothing behind that method is read, acks among it, since a channel's methods keep their order; RabbitMQ does
 * the same. Little more than what has come is kept: then the socket is paused. Until then it is read on, so that
 * the peer's end is noticed at once; after that by the heartbeats that the server goes on sending.
 */
import {
  encodeConnectionBlocked,
  encodeConnectionUnblocked,
  sizeOfConnectionBlocked,
  sizeOfConnectionUnblocked,
} from '../../generated/index.ts';
import type { AlarmListener, Alarms } from '../broker/alarms.ts';
import type { MethodWriter } from './output.ts';

/** A held connection keeps at most so much, and what one read of its socket brings. */
const HELD_BYTES_MAX = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** What is held back: the first two by alarms, a settlement (ack, nack, reject) by the gets of its channel. */
export type HeldMethod = 'publish' | 'definition' | 'settlement';

/** The channel of a settlement. */
export interface SettlingChannel {
  /** A basic.get has no answer yet. */
  readonly awaitsGet: boolean;
}

/** Told when the connection may go on; it then calls {@link HeldInput.end}. */
export interface HeldInputOwner {
  heldInputMayEnd(): void;
}

/** One per connection. */
export class HeldInput implements AlarmListener {
  /** Nothing received is carried out. */
  isActive: boolean;
  /** The client understands connection.blocked. */
  knowsBlocked: boolean;
  private readonly alarms: Alarms;
  private readonly output: MethodWriter;
  private readonly owner: HeldInputOwner;
  private method: HeldMethod;
  /** Whose gets hold a settlement back; null where alarms hold. */
  private channel: SettlingChannel | null;
  private bytes: Buffer;
  /** It was told, and not yet of the end. */
  private isTold: boolean;

  constructor(alarms: Alarms, output: MethodWriter, owner: HeldInputOwner) {
    this.isActive = false;
    this.knowsBlocked = false;
    this.alarms = alarms;
    this.output = output;
    this.owner = owner;
    this.method = 'publish';
    this.channel = null;
    this.bytes = NOTHING;
    this.isTold = false;
  }

  /** Bytes that are kept. */
  get size(): number {
    return this.bytes.length;
  }

  /** No more should be read of the socket. */
  get isFull(): boolean {
    return this.bytes.length >= HELD_BYTES_MAX;
  }

  /** Whether nothing holds the method back any more. */
  get mayEnd(): boolean {
    const { method, alarms } = this;
    if (method === 'settlement') return this.channel?.awaitsGet !== true;
    return method === 'publish' ? !alarms.holdsPublishes : !alarms.holdsDefinitions;
  }

  /** Holds from here on. `frame`: a copy of the method's frame where it does not lie in the chunk being scanned. */
  begin(method: HeldMethod, frame: Buffer | null, channel: SettlingChannel | null = null): void {
    this.isActive = true;
    this.method = method;
    this.channel = channel;
    this.bytes = frame ?? NOTHING;
    if (method === 'settlement') return;
    this.alarms.listen(this);
    this.tell();
  }

  /** Keeps a copy of what came behind it. */
  keep(bytes: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  /** Goes on: what was kept, for the connection to carry out. A client that is told of its close is told no more. */
  end(isClosing: boolean): Buffer {
    const { bytes } = this;
    if (this.isTold && !isClosing) this.tellUnblocked();
    this.release();
    return bytes;
  }

  /** The connection is over. */
  release(): void {
    this.isActive = false;
    this.bytes = NOTHING;
    this.channel = null;
    this.alarms.unlisten(this);
  }

  alarmsChanged(): void {
    this.tell();
    if (this.mayEnd) this.owner.heldInputMayEnd();
  }

  private tell(): void {
    const { reason } = this.alarms;
    if (this.isTold && reason === '') this.tellUnblocked();
    if (this.isTold || reason === '' || !this.knowsBlocked) return;
    this.isTold = true;
    this.output.writeMethod(sizeOfConnectionBlocked({ reason }), (buf, at) =>
      encodeConnectionBlocked(buf, at, 0, { reason }),
    );
  }

  private tellUnblocked(): void {
    this.isTold = false;
    this.output.writeMethod(sizeOfConnectionUnblocked(), (buf, at) =>
      encodeConnectionUnblocked(buf, at, 0),
    );
  }
}
