/**
 * @hot Sorts what a broker sends into the measured traffic of one channel and the replies beside it.
 *
 * Everything handed on is borrowed: valid until the called function returns.
 */
import {
  ByteReader,
  FRAME_HEADER,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  METHOD_ID_SIZE,
  readU32,
  readU64,
} from '../../generated/index.ts';

/** Every connection of the generator uses this one channel. */
export const BENCH_CHANNEL = 1;

/** A broker may send up to this much in a frame, whatever was negotiated. */
const PAYLOAD_SIZE_MAX = 16 * 1024 * 1024;
const BODY_SIZE_OFFSET = 4;

/** Where the frames of the measured traffic go. Called per frame or, for a run of them, once. */
export interface TrafficSink {
  /**
   * A method frame of the channel, `buf[start..end)` being its payload, more bytes following up to
   * `limit`.
   *
   * @returns the offset behind what was taken, `end + 1` or more; -1 when the method is not traffic.
   */
  onMethod(methodId: number, buf: Buffer, start: number, end: number, limit: number): number;
  /** The header of a content whose method frame came before. */
  onContentHeader(bodySizeBytes: number): void;
  /** A further `sizeBytes` of the body, at `buf[start]`; `isFrameEnd` is true when they end a frame. */
  onBody(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): void;
  /** All that one read brought has been handed over. */
  onReadEnd(): void;
}

/** What traffic needs of its connection. */
export interface TrafficConnection {
  /** True while the socket has taken everything written to it. */
  readonly isWritable: boolean;
  /** From now on deliveries and confirms go to `traffic`. */
  setTraffic(traffic: TrafficSink): void;
  /** Hands `bytes` to the socket. They must stay as they are until {@link isWritable}. */
  write(bytes: Uint8Array): void;
  /** Calls `wake` once, when the socket has taken everything; to be asked only while it has not. */
  onceWritable(wake: () => void): void;
  /**
   * Nothing more is handed on behind the frame that is being handed on, nor read. Only for a connection that
   * shares its read buffer with no other.
   */
  pauseTraffic(): void;
  /** Ends the pause, if there is one. */
  resumeTraffic(): void;
  /** Closes the channel: when it resolves, the broker has handled everything sent before. */
  closeChannel(): Promise<void>;
}

/** Scans one connection's bytes. */
export class TrafficScanner implements FrameSink {
  /** null: there is no traffic yet. */
  traffic: TrafficSink | null;
  private readonly scanner: FrameScanner;
  private readonly reader: ByteReader;
  private readonly onReply: (methodId: number, reader: ByteReader) => void;

  /** @param onReply takes every other method; the reader stands behind the method's id */
  constructor(onReply: (methodId: number, reader: ByteReader) => void) {
    this.traffic = null;
    this.scanner = new FrameScanner(this, PAYLOAD_SIZE_MAX);
    this.reader = new ByteReader();
    this.onReply = onReply;
  }

  /**
   * Hands on what `chunk[at..size)` holds.
   *
   * @returns `size`, or where {@link requestStop} ended it
   * @throws WireError when the bytes are no frames.
   */
  scan(chunk: Buffer, size: number, at = 0): number {
    const end = this.scanner.scan(chunk, at, size);
    this.traffic?.onReadEnd();
    return end;
  }

  /** Ends the scan under way behind the frame, or the run of frames, that is being handed on. */
  requestStop(): void {
    this.scanner.stopRequested = true;
  }

  onFrame(
    type: number,
    channel: number,
    buf: Buffer,
    start: number,
    end: number,
    limit: number,
  ): number {
    const traffic = this.traffic;
    if (type === FRAME_METHOD) {
      const methodId = readU32(buf, start);
      if (traffic !== null && channel === BENCH_CHANNEL) {
        const next = traffic.onMethod(methodId, buf, start, end, limit);
        if (next >= 0) return next;
      }
      this.onReply(methodId, this.reader.reset(buf, start + METHOD_ID_SIZE, end));
    } else if (channel === BENCH_CHANNEL) {
      if (type === FRAME_HEADER) {
        traffic?.onContentHeader(readU64(buf, start + BODY_SIZE_OFFSET));
      } else {
        traffic?.onBody(end - start, true, buf, start);
      }
    }
    return end + 1;
  }

  onBodyPiece(_channel: number, buf: Buffer, start: number, end: number, left: number): void {
    this.traffic?.onBody(end - start, left === 0, buf, start);
  }
}
