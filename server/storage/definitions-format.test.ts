import t from 'tap';
import { decodeDefinitions, encodeDefinitions } from './definitions-format.ts';

const DEFINITIONS = [
  { queue: 0, frame: Buffer.from('an exchange') },
  { queue: 5, frame: Buffer.from('a queue') },
  { queue: 0, frame: Buffer.from('') },
];
const HEADER_SIZE = 32;

t.test('definitions come back in order, with their queue numbers', async (t) => {
  const file = decodeDefinitions(
    encodeDefinitions({ position: 2 ** 45, nextQueueNumber: 6 }, DEFINITIONS),
  );
  t.same(file, { position: 2 ** 45, nextQueueNumber: 6, definitions: DEFINITIONS, damage: [] });
  t.match(decodeDefinitions(encodeDefinitions({ position: 1, nextQueueNumber: 1 }, [])), {
    definitions: [],
    damage: [],
  });
});

t.test('damage in the header costs the file, and is a sentence', async (t) => {
  const bytes = encodeDefinitions({ position: 2 ** 45, nextQueueNumber: 6 }, DEFINITIONS);
  for (let at = 0; at < HEADER_SIZE; at++) {
    bytes[at]! ^= 0x40;
    t.type(decodeDefinitions(bytes), 'string', `byte ${at}`);
    bytes[at]! ^= 0x40;
    t.type(decodeDefinitions(bytes.subarray(0, at)), 'string', `cut at ${at}`);
  }
});

t.test('a damaged entry costs itself alone, and a cut what is behind it', async (t) => {
  const bytes = encodeDefinitions({ position: 2 ** 45, nextQueueNumber: 6 }, DEFINITIONS);
  const starts = [HEADER_SIZE];
  for (const { frame } of DEFINITIONS) starts.push(starts.at(-1)! + 12 + frame.length + 4);
  for (let at = HEADER_SIZE; at < bytes.length; at++) {
    const entry = starts.findIndex((_, i) => at < starts[i + 1]!);
    const others = DEFINITIONS.filter((_, i) => i !== entry);
    for (const flip of [0x02, 0xff]) {
      bytes[at]! ^= flip;
      const damage = [
        `bytes ${starts[entry]} to ${starts[entry + 1]} are damaged: they are skipped`,
      ];
      t.match(decodeDefinitions(bytes), { definitions: others, damage }, `byte ${at}`);
      bytes[at]! ^= flip;
    }
    const isBetween = at === starts[entry];
    t.match(decodeDefinitions(bytes.subarray(0, at)), {
      definitions: DEFINITIONS.slice(0, entry),
      damage: isBetween ? [] : [`bytes ${starts[entry]} to ${at} are damaged: they are skipped`],
    });
  }
});
