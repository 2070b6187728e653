/** Copying small pieces by words, as the log and the delivery writer do. */
import { copyBytes, newByteArea } from '../../server/base/byte-area.ts';
import type { MicroBenchmark } from './harness.ts';

const PIECES = 1000;
/** A routing key, a body of 16 bytes, properties: what is copied for one message. */
const SIZES = [12, 16, 56];

/** One piece of 12, 16 or 56 bytes in turn. */
export const byteAreaBenchmark: MicroBenchmark = {
  name: 'byte-area',
  operation: 'copy',
  prepare: () => {
    const source = newByteArea(64 * PIECES);
    const target = newByteArea(64 * PIECES);
    source.buf.fill(7);
    return {
      operationsPerRound: PIECES,
      round: () => {
        for (let i = 0; i < PIECES; i++) {
          copyBytes(target, 64 * i, source, 64 * i, SIZES[i % SIZES.length]!);
        }
        return target.buf[64 * (PIECES - 1)]!;
      },
    };
  },
};
