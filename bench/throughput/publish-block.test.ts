import t from 'tap';
import {
  BASIC_PUBLISH_ID,
  ByteReader,
  decodeBasicPublish,
  FRAME_BODY,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  readU32,
  toFieldTable,
} from '../../generated/index.ts';
import { repeatMessages } from '../amqp/message-block.ts';
import { buildPublishBlock } from './publish-block.ts';

class PublishRecorder implements FrameSink {
  readonly keys: string[] = [];
  bodyBytes = 0;
  largestFrame = 0;

  onFrame(type: number, _channel: number, buf: Buffer, start: number, end: number): number {
    this.largestFrame = Math.max(this.largestFrame, end + 1 - start + 7);
    if (type === FRAME_BODY) this.bodyBytes += end - start;
    if (type === FRAME_METHOD && readU32(buf, start) === BASIC_PUBLISH_ID) {
      const publish = decodeBasicPublish(new ByteReader(buf, start + 4, end));
      this.keys.push(`${publish.exchange}/${publish.routingKey}`);
    }
    return end + 1;
  }

  onBodyPiece(): void {
    t.fail('a block ends within a frame');
  }
}

function scanBlock(bodySizeBytes: number, frameMax: number) {
  const block = buildPublishBlock({
    channel: 1,
    exchange: 'x',
    routingKeys: ['key'],
    bodySizesBytes: [bodySizeBytes],
    persistent: true,
    frameMax,
  });
  const recorder = new PublishRecorder();
  new FrameScanner(recorder, 1e9).scan(block.bytes, 0, block.bytes.length);
  return { block, recorder };
}

t.test('a block of small messages holds thousands of them, whole', async (t) => {
  const { block, recorder } = scanBlock(16, 131_072);
  t.ok(block.count > 3000);
  t.equal(recorder.keys.length, block.count);
  t.ok(recorder.keys.every((key) => key === 'x/key'));
  t.equal(recorder.bodyBytes, 16 * block.count);
  t.equal(block.bytes.length, block.count * block.offsets[1]!);
  t.equal(block.offsets[block.count], block.bytes.length);
});

t.test('a body larger than the frame size is cut to frames of exactly that size', async (t) => {
  const { block, recorder } = scanBlock(1_000_000, 4096);
  t.equal(block.count, 1);
  t.equal(recorder.bodyBytes, 1_000_000);
  t.equal(recorder.largestFrame, 4096);
});

t.test('an empty body has no frame, and no frame limit means one frame', async (t) => {
  t.equal(scanBlock(0, 4096).recorder.bodyBytes, 0);
  t.equal(scanBlock(500_000, 0).recorder.bodyBytes, 500_000);
});

t.test('a block of several queues and sizes gives each its turn, round after round', async (t) => {
  const sizes = [16, 100, 5000];
  const block = buildPublishBlock({
    channel: 1,
    exchange: '',
    routingKeys: ['a', 'bbbb'],
    bodySizesBytes: sizes,
    persistent: true,
    properties: { headers: toFieldTable({ a: 'b' }) },
    frameMax: 4096,
  });
  const recorder = new PublishRecorder();
  new FrameScanner(recorder, 1e9).scan(block.bytes, 0, block.bytes.length);
  t.equal(recorder.keys.length, block.count);
  t.equal(block.roundCount, 6);
  t.equal(block.count % 6, 0);
  t.ok(recorder.keys.every((key, i) => key === (i % 2 === 0 ? '/a' : '/bbbb')));
  for (let i = 0; i < block.count; i++) {
    const bodyAt = block.bodyOffsets[i]!;
    const size = sizes[Math.floor(i / 2) % 3]!;
    t.equal(block.bodySizesBytes[i], size);
    t.equal(block.bytes[bodyAt - 7], FRAME_BODY);
    t.equal(readU32(block.bytes, bodyAt - 4), Math.min(size, 4088));
  }
});

t.test('a round that would take all memory is refused', async (t) => {
  const messages = new Array<Buffer>(300).fill(Buffer.alloc(2 ** 20));
  t.throws(() => repeatMessages(messages), { message: /takes 300 MiB, at most 256/ });
});
