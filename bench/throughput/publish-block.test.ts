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
} from '../../generated/index.ts';
import { repeatMessages } from '../amqp/message-block.ts';
import { buildPublishBlock, encodePublish } from './publish-block.ts';

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
    routingKey: 'key',
    bodySizeBytes,
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
  t.equal(block.bytes.length, block.count * block.messageSizeBytes);
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

t.test('a block of several queues gives each its turn, round after round', async (t) => {
  const publish = (routingKey: string): Buffer =>
    encodePublish({
      channel: 1,
      exchange: '',
      routingKey,
      bodySizeBytes: 16,
      persistent: true,
      frameMax: 0,
    });
  const block = repeatMessages(['a', 'b', 'c'].map(publish));
  const recorder = new PublishRecorder();
  new FrameScanner(recorder, 1e9).scan(block.bytes, 0, block.bytes.length);
  t.equal(recorder.keys.length, block.count);
  t.equal(block.count % 3, 0);
  t.ok(recorder.keys.every((key, i) => key === `/${'abc'[i % 3]}`));
  t.throws(() => repeatMessages([publish('a'), publish('bb')]), RangeError);
});
