/**
 * @hot What a measured or verified message carries at the start of its body, big-endian:
 *
 *     0              8          12          16
 *     +--------------+----------+-----------+ - - -
 *     | time         | lane     | number    |  filling
 *     +--------------+----------+-----------+ - - -
 *      microseconds   octets 8 to 15 only with -V
 *
 * Time: when the message was due to be published, or where no rate is set when it was, in microseconds since 1970, so
 * that processes of one machine can tell each other's. Lane: 10 bits that differ from run to run, then which producer
 * and which queue of its round. Number: the how-manieth of its lane, from 0, modulo 2^32.
 */
import { performance } from 'node:perf_hooks';

/** Octets of the time. */
export const TIME_STAMP_BYTES = 8;
/** Octets of all of it. */
export const FULL_STAMP_BYTES = 16;
/** Where the lane begins. */
export const LANE_OFFSET = 8;
/** Where the number begins. */
export const NUMBER_OFFSET = 12;

const LANE_BITS = 22;
const RUN_COUNT = 2 ** (32 - LANE_BITS);
/** How many lanes a run may have. */
export const LANE_COUNT_MAX: number = 2 ** LANE_BITS;

/** What the lanes of a run begin at, drawn at random. */
export function drawFirstLane(): number {
  return Math.floor(Math.random() * RUN_COUNT) * LANE_COUNT_MAX;
}

/** What is to be added to `performance.now()` in microseconds to have microseconds since 1970. */
export function epochOffsetUs(): number {
  return performance.timeOrigin * 1000;
}
