/**
 * @hot Reads sockets into one buffer that all of them share.
 *
 * Node gives every chunk that it reads memory of its own, 64 KiB from the C heap. At a gigabyte a second that is
 * garbage by the tens of megabytes, which V8 collects late and the C heap keeps in pieces. What a connection reads
 * is carried out before the next read, so one buffer is enough for all. `net.connect` has an option for that
 * (`onread`); a socket that a server accepted has the same machinery and no option, so it is given here what the
 * option would have set. A socket that has it not, or a Node without it, is read chunk by chunk.
 *
 * Whoever is read gets a part of the buffer, which is chosen when its last read is done: libuv asks for nothing before the
 * next one. A socket that brings little gets a small part, and so does every socket while the turn is crowded. Of one
 * that fills its part the next one is twice as large, and stays so as long as its reads are no small ones: code that is
 * not compiled yet takes its time, which a turn can only notice between two reads. Only a few sockets have more than
 * the small part at once. So hundreds that become readable in the same instant do not bring 256 KiB each before
 * anybody can stop them.
 * Bench: scenario throughput.
 */
import { type NetConnectOpts, Socket } from 'node:net';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import { isEncrypted } from './transport.ts';

/** Bytes that one read takes at most. */
const READ_BYTES = 256 * 1024;
/** The same for a socket whose last read was smaller, or when the turn is crowded: then whoever fills it has to wait. */
const SMALL_READ_BYTES = 32 * 1024;
/** Sockets that may be about to read as much as the buffer takes: with a small part of each other, a turn stays short. */
const LARGE_READERS_MAX = 8;
/** One of them that has brought nothing for so many turns makes room for another one. */
const LARGE_READER_IDLE_TURNS = 256;

/** Takes what was read: `area.buf[0..size)`, valid until it returns. */
export type ReadListener = (area: ByteArea, size: number) => void;

/** What all connections together do. */
export interface Crowd {
  /** They have brought enough for this turn. */
  readonly isCrowded: boolean;
  readonly turnNumber: number;
}

/** A socket that reads into more than the small part next time. */
interface LargeReader {
  lastTurn: number;
}

/** What libuv's stream offers for reading into memory of the caller's. */
interface UserBufferHandle {
  useUserBuffer(buffer: Buffer): void;
}

/** The places in a socket that the option `onread` fills. */
interface OnreadSlots {
  readonly buffer: symbol;
  readonly callback: symbol;
  /** Makes the buffer of the next read. */
  readonly generator: symbol;
}

/** Reads the sockets of one server. */
export class SocketReader {
  private readonly area: ByteArea;
  /** Beginnings of {@link area}, each twice as large as the one before; the last is all of it. */
  private readonly parts: readonly Buffer[];
  private readonly slots: OnreadSlots | null;
  private readonly crowd: Crowd;
  /** At most {@link LARGE_READERS_MAX}. */
  private readonly largeReaders: LargeReader[];

  constructor(crowd: Crowd) {
    this.area = newByteArea(READ_BYTES);
    this.parts = beginningsOf(this.area.buf);
    this.slots = findSlots();
    this.crowd = crowd;
    this.largeReaders = [];
  }

  /** Calls `listener` with all that `socket` receives from now on. */
  read(socket: Socket, listener: ReadListener): void {
    const { slots, area, parts, crowd } = this;
    const smallPart = parts[0]!;
    const handle = handleOf(socket);
    // What was read of it before, as a proxy's header is, may have left bytes that only come as chunks.
    if (slots === null || handle === null || socket.bytesRead > 0 || socket.readableLength > 0) {
      socket.on('data', (chunk: Buffer) => listener(new ByteArea(chunk), chunk.length));
      return;
    }
    const reader: LargeReader = { lastTurn: 0 };
    let lastSize = 0;
    let part = 0;
    const onRead = (size: number): boolean => {
      lastSize = size;
      listener(area, size);
      return true;
    };
    const isTls = isEncrypted(socket);
    const nextBuffer = (): Buffer => {
      // It brings one record at a time, of no more than that; those that it has read already come even when paused.
      if (isTls) return smallPart;
      const wantsMuch = lastSize >= SMALL_READ_BYTES && !crowd.isCrowded;
      if (!this.mayReadMuch(reader, wantsMuch)) part = 0;
      else if (lastSize >= parts[part]!.length && part < parts.length - 1) part++;
      return parts[part]!;
    };
    Reflect.set(socket, slots.buffer, smallPart);
    Reflect.set(socket, slots.callback, onRead);
    Reflect.set(socket, slots.generator, nextBuffer);
    handle.useUserBuffer(smallPart);
    socket.resume();
  }

  /** HOT per read. Whether `reader`, which `wants` it or does not, is one of the few that read much. */
  private mayReadMuch(reader: LargeReader, wants: boolean): boolean {
    const { largeReaders } = this;
    const { turnNumber } = this.crowd;
    reader.lastTurn = turnNumber;
    const at = largeReaders.indexOf(reader);
    if (!wants) {
      if (at >= 0) largeReaders.splice(at, 1);
      return false;
    }
    if (at >= 0) return true;
    if (largeReaders.length < LARGE_READERS_MAX) {
      largeReaders.push(reader);
      return true;
    }
    const idle = largeReaders.findIndex(
      ({ lastTurn }) => turnNumber - lastTurn > LARGE_READER_IDLE_TURNS,
    );
    if (idle < 0) return false;
    largeReaders[idle] = reader;
    return true;
  }
}

function beginningsOf(buffer: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let size = SMALL_READ_BYTES; size <= buffer.length; size *= 2) {
    parts.push(buffer.subarray(0, size));
  }
  return parts;
}

function findSlots(): OnreadSlots | null {
  // Documented for `net.connect`, which hands it on to here; the types know only that.
  const options: NetConnectOpts = {
    port: 0,
    onread: { buffer: () => Buffer.alloc(1), callback: () => true },
  };
  const sample = new Socket(options);
  const symbols = Object.getOwnPropertySymbols(sample);
  sample.destroy();
  const slot = (name: string): symbol | undefined =>
    symbols.find(({ description }) => description === name);
  const buffer = slot('kBuffer');
  const callback = slot('kBufferCb');
  const generator = slot('kBufferGen');
  return buffer === undefined || callback === undefined || generator === undefined
    ? null
    : { buffer, callback, generator };
}

/** The handle of a socket, TLS or not; null where it cannot read into memory of ours. */
function handleOf(socket: Socket): UserBufferHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  return isUserBufferHandle(handle) ? handle : null;
}

function isUserBufferHandle(value: unknown): value is UserBufferHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'useUserBuffer' in value &&
    typeof value.useUserBuffer === 'function'
  );
}
