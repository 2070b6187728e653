/** Delivery tags have 64 bits: those beyond what JavaScript's numbers hold are unknown like any other. */
import {
  BASIC_ACK_ID,
  BASIC_NACK_ID,
  BASIC_REJECT_ID,
  FRAME_METHOD,
} from '../../generated/index.ts';
import { unknownTag } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHODS = [
  ['basic.ack', BASIC_ACK_ID],
  ['basic.nack', BASIC_NACK_ID],
  ['basic.reject', BASIC_REJECT_ID],
] as const;
const TAGS = [2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];

for (const [name, id] of METHODS) {
  scenario(
    `a tag above 2^53 closes the channel with 406, told to its last digit [${name}/huge-tag]`,
    async (t, broker) => {
      const raw = await broker.rawChannel();
      for (const tag of TAGS) {
        const payload = Buffer.alloc(13);
        payload.writeUInt32BE(id);
        payload.writeBigUInt64BE(tag, 4);
        raw.sendFrame(FRAME_METHOD, 1, payload);
        t.same(await raw.expectChannelClose(1), unknownTag(tag, name));
        await raw.openChannel(1);
      }
    },
  );
}
