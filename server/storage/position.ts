/**
 * Where a record lies: one number for life.
 *
 *     position = segment number * 2^28 + byte offset in the segment
 *
 * A position is a double below 2^53, so segment numbers stay below 2^25. Numbers from
 * {@link TRANSIENT_SEGMENT_FIRST} on are memory alone and never become files.
 */

/** Bytes that one segment number spans (256 MiB): no segment can be longer. */
export const SEGMENT_SPAN: number = 2 ** 28;

/** Segments from this number on live in memory only, one block each. */
export const TRANSIENT_SEGMENT_FIRST: number = 2 ** 24;

/** Positions from here on belong to the transient lane. */
export const TRANSIENT_POSITION_FIRST: number = TRANSIENT_SEGMENT_FIRST * SEGMENT_SPAN;

/** The position of byte `offset` in segment `segment`. */
export function positionAt(segment: number, offset: number): number {
  return segment * SEGMENT_SPAN + offset;
}

/** The segment number of a position. */
export function segmentOf(position: number): number {
  return Math.floor(position / SEGMENT_SPAN);
}

/** The position behind the segment of `position`. */
export function segmentEnd(position: number): number {
  return (segmentOf(position) + 1) * SEGMENT_SPAN;
}

/** The byte offset of a position in its segment. */
export function offsetOf(position: number): number {
  return position - segmentOf(position) * SEGMENT_SPAN;
}
