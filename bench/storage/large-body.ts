/** One large message, published from and compared with a pattern, so that the generator never holds it. */
import {
  BASIC_ACK_ID,
  BASIC_CANCEL_ID,
  BASIC_DELIVER_ID,
  BASIC_NACK_ID,
  BASIC_PUBLISH_ID,
  CONTENT_HEADER_FIXED_SIZE,
  encodeBasicPublish,
  encodeBodyFrame,
  encodeContentHeader,
  FRAME_OVERHEAD,
  sizeOfBasicProperties,
  sizeOfBasicPublish,
} from '../../generated/index.ts';
import type { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, selectConfirms, startConsumer } from '../amqp/control.ts';
import { BENCH_CHANNEL, type TrafficSink } from '../amqp/traffic-scanner.ts';

const BASIC_CLASS_ID = BASIC_PUBLISH_ID >>> 16;
const DELIVERY_MODE_PERSISTENT = 2;
/** All octets of so many are alike; not a divisor of a frame, so that no two frames are. */
const PATTERN_RUN_BYTES = 1000;

/** Publishes and consumes it over a connection of its own. */
export class LargeBody implements TrafficSink {
  private readonly connection: BenchConnection;
  private readonly queue: string;
  private readonly sizeBytes: number;
  private received: number;
  private whenDone: Promise<void>;
  private resolve: () => void;

  private constructor(connection: BenchConnection, queue: string, sizeBytes: number) {
    this.connection = connection;
    this.queue = queue;
    this.sizeBytes = sizeBytes;
    this.received = 0;
    this.resolve = () => {};
    this.whenDone = Promise.resolve();
    connection.setTraffic(this);
  }

  /** Declares the queue and asks for confirms. */
  static async open(
    connection: BenchConnection,
    queue: string,
    sizeBytes: number,
  ): Promise<LargeBody> {
    await declareQueue(connection, queue, false);
    await selectConfirms(connection);
    return new LargeBody(connection, queue, sizeBytes);
  }

  /** Publishes it; resolves when it is confirmed. */
  async publish(): Promise<void> {
    this.expect();
    this.connection.write(encodeHead(this.queue, this.sizeBytes));
    const { frameMax } = this.connection;
    const pieceMax = (frameMax === 0 ? 2 ** 17 : frameMax) - FRAME_OVERHEAD;
    for (let at = 0; at < this.sizeBytes; at += pieceMax) {
      const piece = patternPiece(at, Math.min(at + pieceMax, this.sizeBytes));
      const frame = Buffer.allocUnsafe(piece.length + FRAME_OVERHEAD);
      encodeBodyFrame(frame, 0, BENCH_CHANNEL, piece, 0, piece.length);
      await this.connection.whenWritable();
      this.connection.write(frame);
    }
    await this.connection.whileOpen(this.whenDone);
  }

  /**
   * Consumes it with auto-ack; resolves when its last octet has come.
   *
   * @throws Error when an octet is not what was published.
   */
  async consume(): Promise<void> {
    this.expect();
    await startConsumer(this.connection, this.queue, true);
    await this.connection.whileOpen(this.whenDone);
  }

  onMethod(methodId: number, _buf: Buffer, _start: number, end: number): number {
    if (methodId === BASIC_DELIVER_ID) return end + 1;
    if (methodId === BASIC_CANCEL_ID) throw new Error('the broker cancelled the consumer');
    if (methodId === BASIC_NACK_ID) throw new Error('the broker did not take the message');
    if (methodId !== BASIC_ACK_ID) return -1;
    this.resolve();
    return end + 1;
  }

  onContentHeader(bodySizeBytes: number): void {
    if (bodySizeBytes !== this.sizeBytes) {
      throw new Error(`the body came with ${bodySizeBytes} octets instead of ${this.sizeBytes}`);
    }
  }

  /** Looks at both ends of every run of the pattern. */
  onBody(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): void {
    const from = this.received;
    const to = from + sizeBytes;
    for (let at = from; at < to; ) {
      const runEnd = Math.min(to, (Math.floor(at / PATTERN_RUN_BYTES) + 1) * PATTERN_RUN_BYTES);
      const first = buf[start + at - from];
      const last = buf[start + runEnd - 1 - from];
      if (first !== patternOctet(at) || last !== patternOctet(runEnd - 1)) {
        throw new Error(`the body differs between octets ${at} and ${runEnd}`);
      }
      at = runEnd;
    }
    this.received = to;
    if (to === this.sizeBytes && isFrameEnd) this.resolve();
  }

  onReadEnd(): void {}

  private expect(): void {
    this.received = 0;
    this.whenDone = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

function encodeHead(queue: string, bodySizeBytes: number): Buffer {
  const publish = { exchange: '', routingKey: queue, mandatory: false, immediate: false };
  const properties = { deliveryMode: DELIVERY_MODE_PERSISTENT };
  const head = Buffer.allocUnsafe(
    sizeOfBasicPublish(publish) +
      FRAME_OVERHEAD +
      CONTENT_HEADER_FIXED_SIZE +
      sizeOfBasicProperties(properties),
  );
  const at = encodeBasicPublish(head, 0, BENCH_CHANNEL, publish);
  encodeContentHeader(head, at, BENCH_CHANNEL, BASIC_CLASS_ID, bodySizeBytes, properties);
  return head;
}

/** Octets `from` to `to` of the body. */
function patternPiece(from: number, to: number): Buffer {
  const piece = Buffer.allocUnsafe(to - from);
  for (let at = from; at < to; ) {
    const runEnd = Math.min(to, (Math.floor(at / PATTERN_RUN_BYTES) + 1) * PATTERN_RUN_BYTES);
    piece.fill(patternOctet(at), at - from, runEnd - from);
    at = runEnd;
  }
  return piece;
}

/** Prime, so that the pattern comes round at no power of two. */
function patternOctet(at: number): number {
  return Math.floor(at / PATTERN_RUN_BYTES) % 251;
}
