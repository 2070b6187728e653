/** Positions of a row as bytes: f64, little-endian, as every machine that Node runs on has them in memory. */
import { crc32 } from 'node:zlib';

/** The bytes of an array of positions: the same memory. */
export function bytesOfPositions(positions: Float64Array): Buffer {
  return Buffer.from(positions.buffer, positions.byteOffset, positions.byteLength);
}

/** Checksum of the first `count` positions. */
export function checksumOf(positions: Float64Array, count: number): number {
  return crc32(bytesOfPositions(positions).subarray(0, 8 * count));
}
