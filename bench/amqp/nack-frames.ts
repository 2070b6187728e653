/** basic.nack frames for many deliveries. */
import { encodeBasicNack, sizeOfBasicNack } from '../../generated/index.ts';

/** A frame for each tag, in order: a nack of this delivery alone, back into its queue. */
export function encodeNacks(channel: number, deliveryTags: Uint32Array): Buffer {
  const frameSizeBytes = sizeOfBasicNack({ deliveryTag: 0, multiple: false, requeue: true });
  const frames = Buffer.allocUnsafeSlow(deliveryTags.length * frameSizeBytes);
  let at = 0;
  for (const deliveryTag of deliveryTags) {
    at = encodeBasicNack(frames, at, channel, { deliveryTag, multiple: false, requeue: true });
  }
  return frames;
}
