/**
 * @hot Reads sockets into one buffer that all of them share.
 *
 * Node gives every chunk that it reads memory of its own, 64 KiB from the C heap. At a gigabyte a second that is
 * garbage by the tens of megabytes, which V8 collects late and the C heap keeps in pieces. What a connection reads
 * is carried out before the next read, so one buffer is enough for all. `net.connect` has an option for that
 * (`onread`); a socket that a server accepted has the same machinery and no option, so it is given here what the
 * option would have set. A socket that has it not, or a Node without it, is read chunk by chunk.
 * Bench: scenario throughput.
 */
import { type NetConnectOpts, Socket } from 'node:net';
import { ByteArea, newByteArea } from '../base/byte-area.ts';

/** Bytes that one read takes at most. */
const READ_BYTES = 256 * 1024;

/** Takes what was read: `area.buf[0..size)`, valid until it returns. */
export type ReadListener = (area: ByteArea, size: number) => void;

/** What libuv's stream offers for reading into memory of the caller's. */
interface UserBufferHandle {
  useUserBuffer(buffer: Buffer): void;
}

/** The places in a socket that the option `onread` fills. */
interface OnreadSlots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

/** Reads the sockets of one server. */
export class SocketReader {
  private readonly area: ByteArea;
  private readonly slots: OnreadSlots | null;

  constructor() {
    this.area = newByteArea(READ_BYTES);
    this.slots = findSlots();
  }

  /** Calls `listener` with all that `socket` receives from now on. */
  read(socket: Socket, listener: ReadListener): void {
    const { slots, area } = this;
    const handle = handleOf(socket);
    // What was read of it before, as a proxy's header is, may have left bytes that only come as chunks.
    if (slots === null || handle === null || socket.bytesRead > 0) {
      socket.on('data', (chunk: Buffer) => listener(new ByteArea(chunk), chunk.length));
      return;
    }
    const onRead = (size: number): boolean => {
      listener(area, size);
      return true;
    };
    Reflect.set(socket, slots.buffer, area.buf);
    Reflect.set(socket, slots.callback, onRead);
    handle.useUserBuffer(area.buf);
    socket.resume();
  }
}

function findSlots(): OnreadSlots | null {
  // Documented for `net.connect`, which hands it on to here; the types know only that.
  const options: NetConnectOpts = {
    port: 0,
    onread: { buffer: Buffer.alloc(1), callback: () => true },
  };
  const sample = new Socket(options);
  const symbols = Object.getOwnPropertySymbols(sample);
  sample.destroy();
  const buffer = symbols.find(({ description }) => description === 'kBuffer');
  const callback = symbols.find(({ description }) => description === 'kBufferCb');
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
}

/** The handle of a plain TCP or Unix socket; null for others: TLS keeps what it decrypts. */
function handleOf(socket: Socket): UserBufferHandle | null {
  if (socket.constructor !== Socket) return null;
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
