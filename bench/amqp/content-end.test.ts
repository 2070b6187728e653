import t from 'tap';
import { FRAME_END } from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from './content.ts';
import { contentEnd } from './content-end.ts';

/** A content behind the end octet of its method frame; its own bytes begin at 1. */
function contentBytes(bodySizeBytes: number, frameMax: number): Buffer {
  const buf = Buffer.alloc(1 + sizeOfContent({ deliveryMode: 2 }, bodySizeBytes, frameMax));
  buf[0] = FRAME_END;
  encodeContent(buf, 1, 1, { deliveryMode: 2 }, Buffer.alloc(bodySizeBytes, 1), frameMax);
  return buf;
}

for (const size of [0, 1, 16, 300]) {
  t.test(`the end of a whole content with a body of ${size} octets is found`, async (t) => {
    const bytes = contentBytes(size, 0);
    t.equal(contentEnd(bytes, 1, bytes.length), bytes.length);
    const longer = Buffer.concat([bytes, bytes]);
    t.equal(contentEnd(longer, 1, longer.length), bytes.length);
  });

  t.test(`every prefix of a content with a body of ${size} octets is left alone`, async (t) => {
    const bytes = contentBytes(size, 0);
    // What lies behind the limit is there, but it must not count.
    for (let limit = 1; limit < bytes.length; limit++) {
      t.equal(contentEnd(bytes, 1, limit), -1, `up to ${limit}`);
    }
  });

  t.test(`a wrong octet in a content of ${size} octets is left to the frame scanner`, async (t) => {
    const bytes = contentBytes(size, 0);
    const headerEnd = 1 + 8 + 12 + 3;
    const framing = [0, 1, 4, 5, 6, 7, headerEnd - 1];
    if (size > 0) framing.push(headerEnd, headerEnd + 6, bytes.length - 1);
    for (const at of framing) {
      const broken = Buffer.from(bytes);
      broken[at] = broken[at]! ^ 0x40;
      t.equal(contentEnd(broken, 1, broken.length), -1, `octet ${at}`);
    }
  });
}

t.test('a body in several frames is left to the frame scanner', async (t) => {
  const bytes = contentBytes(300, 108);
  t.equal(contentEnd(bytes, 1, bytes.length), -1);
});
