import t from 'tap';
import { TrafficScanner } from '../amqp/traffic-scanner.ts';
import { encodeDeliveries } from '../testing/delivery-bytes.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { NumberRecorder } from './number-recorder.ts';
import { type DeliverySink, NumberedDeliveries } from './numbered-deliveries.ts';

const FRAME_MAX = 30;
/** Empty, of the number alone, more, and of several frames of 22 octets, the number cut by their border. */
const BODY_SIZES = [4, 0, 16, 24, 50, 4, 4];

/** Deliveries whose body number is 0x01020300 and the delivery tag. */
function numberedBytes(): Buffer {
  const pieces = BODY_SIZES.map((_, i) => {
    const all = encodeDeliveries(BODY_SIZES.slice(0, i + 1), FRAME_MAX);
    return all.subarray(encodeDeliveries(BODY_SIZES.slice(0, i), FRAME_MAX).length);
  });
  pieces.forEach((piece, i) => {
    writeNumber(piece, BODY_SIZES[i] ?? 0, 0x01020300 + i + 1);
  });
  return Buffer.concat(pieces);
}

/** Over the last octets of the body, around the frames' ends. */
function writeNumber(delivery: Buffer, bodySize: number, number: number): void {
  if (bodySize === 0) return;
  const payloadMax = FRAME_MAX - 8;
  let at = delivery.length - 2;
  let inFrame = bodySize % payloadMax === 0 ? payloadMax : bodySize % payloadMax;
  for (let shift = 0; shift < 32; shift += 8) {
    if (inFrame === 0) {
      at -= 8;
      inFrame = payloadMax;
    }
    delivery[at--] = (number >>> shift) & 0xff;
    inFrame--;
  }
}

function readAll(chunks: readonly Buffer[], sink: DeliverySink): void {
  const connection = new RecordingConnection();
  new NumberedDeliveries(connection, sink);
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  const readBuffer = Buffer.alloc(Math.max(...chunks.map((chunk) => chunk.length)));
  for (const chunk of chunks) {
    readBuffer.fill(0xdb);
    chunk.copy(readBuffer);
    scanner.scan(readBuffer, chunk.length);
  }
}

t.test('tags and numbers are found wherever the stream is split', async (t) => {
  const bytes = numberedBytes();
  const expected = BODY_SIZES.map((size, i) => [i + 1, size === 0 ? -1 : 0x01020300 + i + 1]);
  for (let split = 1; split < bytes.length; split++) {
    const found: number[][] = [];
    let readEnds = 0;
    readAll([bytes.subarray(0, split), bytes.subarray(split)], {
      onDelivery: (tag, number) => found.push([tag, BODY_SIZES[tag - 1] === 0 ? -1 : number]),
      onReadEnd: () => readEnds++,
    });
    if (readEnds === 2 && JSON.stringify(found) === JSON.stringify(expected)) continue;
    t.same(found, expected, `split at ${split}`);
    return;
  }
});

t.test(
  'a recorder is complete with the last delivery, and tells what is out of order',
  async (t) => {
    const recorder = new NumberRecorder(3);
    recorder.onDelivery(7, 0);
    recorder.onDelivery(8, 1);
    recorder.onReadEnd();
    recorder.onDelivery(9, 2);
    recorder.onReadEnd();
    await recorder.whenComplete;
    t.same([...recorder.deliveryTags], [7, 8, 9]);
    recorder.expectInOrder();
    t.throws(() => recorder.onDelivery(10, 3), /more deliveries than messages/);
    const wrong = new NumberRecorder(3);
    for (const number of [0, 2, 1]) wrong.onDelivery(1, number);
    t.throws(() => wrong.expectInOrder(), { message: 'delivery 1 was message 2' });
  },
);
