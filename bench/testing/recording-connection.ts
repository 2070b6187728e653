/** A connection for tests of producers and consumers: it keeps what is written and says when it is full. */
import type { TrafficConnection, TrafficSink } from '../amqp/traffic-scanner.ts';

/** Writes go to `written`; `isWritable` is the test's to set. */
export class RecordingConnection implements TrafficConnection {
  isWritable: boolean;
  isChannelClosed: boolean;
  isPaused: boolean;
  /** What a pause does besides; the test's to set. */
  onPause: () => void;
  traffic: TrafficSink | null;
  readonly written: Buffer[];
  private wake: (() => void) | null;

  constructor() {
    this.isWritable = true;
    this.isChannelClosed = false;
    this.isPaused = false;
    this.onPause = () => {};
    this.traffic = null;
    this.written = [];
    this.wake = null;
  }

  setTraffic(traffic: TrafficSink): void {
    this.traffic = traffic;
  }

  /** While the connection is not writable the bytes are kept as they lie, as a socket does. */
  write(bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.written.push(this.isWritable ? Buffer.from(view) : view);
  }

  onceWritable(wake: () => void): void {
    this.wake = wake;
  }

  /** The socket has taken everything. */
  becomeWritable(): void {
    this.isWritable = true;
    const wake = this.wake;
    this.wake = null;
    wake?.();
  }

  pauseTraffic(): void {
    this.isPaused = true;
    this.onPause();
  }

  resumeTraffic(): void {
    this.isPaused = false;
  }

  async closeChannel(): Promise<void> {
    this.isChannelClosed = true;
  }
}
