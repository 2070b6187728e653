/** The content of a message, as it follows a publish or deliver method: header frame and body frames. */
import {
  BASIC_PUBLISH_ID,
  type BasicProperties,
  CONTENT_HEADER_FIXED_SIZE,
  encodeBodyFrame,
  encodeContentHeader,
  FRAME_OVERHEAD,
  sizeOfBasicProperties,
} from '../../generated/index.ts';

const BASIC_CLASS_ID = BASIC_PUBLISH_ID >>> 16;

/** Octets of all frames of a content; `frameMax` 0: no limit. */
export function sizeOfContent(
  properties: BasicProperties,
  bodySizeBytes: number,
  frameMax: number,
): number {
  const bodyFrames = Math.ceil(bodySizeBytes / payloadMax(bodySizeBytes, frameMax));
  return (
    FRAME_OVERHEAD +
    CONTENT_HEADER_FIXED_SIZE +
    sizeOfBasicProperties(properties) +
    bodyFrames * FRAME_OVERHEAD +
    bodySizeBytes
  );
}

/** Writes all frames of a content; returns the offset behind them. `frameMax` 0: no limit. */
export function encodeContent(
  buf: Buffer,
  at: number,
  channel: number,
  properties: BasicProperties,
  body: Buffer,
  frameMax: number,
): number {
  const pieceMax = payloadMax(body.length, frameMax);
  let next = encodeContentHeader(buf, at, channel, BASIC_CLASS_ID, body.length, properties);
  for (let start = 0; start < body.length; start += pieceMax) {
    const end = Math.min(start + pieceMax, body.length);
    next = encodeBodyFrame(buf, next, channel, body, start, end);
  }
  return next;
}

/** Never 0, so that an empty body takes no frame. */
function payloadMax(bodySizeBytes: number, frameMax: number): number {
  return frameMax === 0 ? Math.max(1, bodySizeBytes) : frameMax - FRAME_OVERHEAD;
}
