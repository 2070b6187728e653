import t from 'tap';
import { decodeDefinitions, encodeDefinitions } from './definitions-format.ts';

const DEFINITIONS = [
  { queue: 0, frame: Buffer.from('an exchange') },
  { queue: 5, frame: Buffer.from('a queue') },
  { queue: 0, frame: Buffer.from('') },
];
const HEADER_SIZE = 32;

t.test('definitions come back in order, with their queue numbers', async (t) => {
  const file = decodeDefinitions(encodeDefinitions(DEFINITIONS, 2 ** 45, 6));
  t.same(file, { position: 2 ** 45, nextQueueNumber: 6, definitions: DEFINITIONS, damage: [] });
  t.match(decodeDefinitions(encodeDefinitions([], 1, 1)), { definitions: [], damage: [] });
});

t.test('damage in the header costs the file, and is a sentence', async (t) => {
  const bytes = encodeDefinitions(DEFINITIONS, 2 ** 45, 6);
  for (let at = 0; at < HEADER_SIZE; at++) {
    bytes[at]! ^= 0x40;
    t.type(decodeDefinitions(bytes), 'string', `byte ${at}`);
    bytes[at]! ^= 0x40;
    t.type(decodeDefinitions(bytes.subarray(0, at)), 'string', `cut at ${at}`);
  }
});

t.test(
  'a damaged entry costs itself alone; a damaged size, or a cut, costs what follows',
  async (t) => {
    const bytes = encodeDefinitions(DEFINITIONS, 2 ** 45, 6);
    const [first, second, third] = DEFINITIONS;
    const secondAt = HEADER_SIZE + 12 + first!.frame.length + 4;
    const thirdAt = secondAt + 12 + second!.frame.length + 4;
    for (let at = secondAt + 4; at < thirdAt; at++) {
      bytes[at]! ^= 0x02;
      const file = decodeDefinitions(bytes);
      t.match(file, { definitions: [first, third], damage: [/damaged/] }, `byte ${at}`);
      bytes[at]! ^= 0x02;
    }
    for (let at = HEADER_SIZE; at < bytes.length; at++) {
      bytes[at]! ^= 0xff;
      const file = decodeDefinitions(bytes);
      if (typeof file === 'string' || file.damage.length === 0) t.fail(`byte ${at} goes unnoticed`);
      bytes[at]! ^= 0xff;
      const cut = decodeDefinitions(bytes.subarray(0, at));
      if (typeof cut === 'string') t.fail(`cut at ${at}: ${cut}`);
    }
    t.match(decodeDefinitions(bytes.subarray(0, thirdAt + 3)), {
      definitions: [first, second],
      damage: [/runs past the end/],
    });
  },
);
