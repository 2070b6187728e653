/** Frames per second of the frame scanner, with a sink that does nothing with them. */
import { FrameScanner, type FrameSink } from '../../generated/index.ts';
import { encodeDeliveries } from '../testing/delivery-bytes.ts';
import type { MicroBenchmark } from './harness.ts';

const MESSAGES = 1000;
const FRAMES_PER_MESSAGE = 3;

class CountingSink implements FrameSink {
  octets = 0;

  onFrame(_type: number, _channel: number, _buf: Buffer, start: number, end: number): number {
    this.octets += end - start;
    return end + 1;
  }

  onBodyPiece(_channel: number, _buf: Buffer, start: number, end: number): void {
    this.octets += end - start;
  }
}

/** 1,000 messages of 16 octets in one chunk, frame by frame. */
export const frameScannerBenchmark: MicroBenchmark = {
  name: 'frame-scanner',
  operation: 'frame',
  prepare: () => {
    const bytes = encodeDeliveries(new Array<number>(MESSAGES).fill(16), 0);
    const sink = new CountingSink();
    const scanner = new FrameScanner(sink, 131_072);
    return {
      operationsPerRound: MESSAGES * FRAMES_PER_MESSAGE,
      round: () => {
        sink.octets = 0;
        scanner.scan(bytes, 0, bytes.length);
        return sink.octets;
      },
    };
  },
};
