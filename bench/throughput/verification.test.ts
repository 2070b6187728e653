import t, { type Test } from 'tap';
import { TrafficScanner } from '../amqp/traffic-scanner.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { encodeDelivery, stampedBodies } from '../testing/stamped-deliveries.ts';
import { BodyFilling } from './body-filling.ts';
import { ConsumeGoal } from './consume-goal.ts';
import { Consumer } from './consumer.ts';
import { DeliveryObserver } from './delivery-observer.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import {
  ConsumerVerification,
  QueueVerification,
  type VerificationResult,
} from './verification.ts';

const FRAME_MAX = 4096;
const SIZES = [16, 20, 5000];
const LANE = 3 * 2 ** 22;
const COUNT = 9;

interface Delivery {
  readonly body: Buffer;
  readonly redelivered?: boolean;
}

interface Setting {
  readonly filling: BodyFilling;
  readonly queue: QueueVerification;
  readonly bodies: Buffer[];
}

function setUp(isRandom = false): Setting {
  const filling = new BodyFilling(Math.max(...SIZES), isRandom);
  const queue = new QueueVerification({ filling, bodySizesBytes: SIZES, firstLane: LANE });
  const bodies = stampedBodies({
    count: COUNT,
    bodySizesBytes: SIZES,
    filling,
    firstLane: LANE,
    frameMax: FRAME_MAX,
    dueUs: performance.now() * 1000,
  });
  return { filling, queue, bodies };
}

/** Feeds one consumer, the stream being cut into chunks of so many octets. */
function consume(
  t: Test,
  queue: QueueVerification,
  deliveries: readonly Delivery[],
  chunkSize: number,
  latencyUs: LatencyHistogram | null = null,
): void {
  const verification = new ConsumerVerification(queue);
  const observer = new DeliveryObserver(latencyUs, verification, 0);
  const connection = new RecordingConnection();
  new Consumer(connection, new ConsumeGoal(0), 0, { observer });
  const scanner = new TrafficScanner(() => t.fail('a method that is not traffic'));
  scanner.traffic = connection.traffic;
  const bytes = Buffer.concat(
    deliveries.map(({ body, redelivered = false }, i) =>
      encodeDelivery(body, i + 1, redelivered, FRAME_MAX),
    ),
  );
  const readBuffer = Buffer.alloc(Math.min(chunkSize, bytes.length));
  for (let at = 0; at < bytes.length; at += chunkSize) {
    const size = bytes.copy(readBuffer, 0, at, at + chunkSize);
    scanner.scan(readBuffer, size);
  }
}

function asDeliveries(bodies: readonly Buffer[]): Delivery[] {
  return bodies.map((body) => ({ body }));
}

const NOTHING_WRONG: VerificationResult = {
  verified: COUNT,
  redelivered: 0,
  missing: 0,
  duplicates: 0,
  outOfOrder: 0,
  corrupt: 0,
  foreign: 0,
};

for (const isRandom of [false, true]) {
  t.test(`what came as it was published is right, random bodies: ${isRandom}`, async (t) => {
    for (const chunkSize of [1, 7, 100, 4096, 1e6]) {
      const { queue, bodies } = setUp(isRandom);
      const latencyUs = new LatencyHistogram();
      consume(t, queue, asDeliveries(bodies), chunkSize, latencyUs);
      t.same(queue.result(COUNT, 0), NOTHING_WRONG, `in chunks of ${chunkSize}`);
      t.equal(latencyUs.count, COUNT);
    }
  });
}

t.test('random bodies differ from each other, and are the same in another process', async (t) => {
  const [first, second] = [setUp(true), setUp(true)];
  t.notSame(first.bodies[2]?.subarray(16), first.bodies[5]?.subarray(16));
  t.same(first.bodies[2]?.subarray(16), second.bodies[2]?.subarray(16));
});

t.test('a lost message is missing, in the middle and at the end', async (t) => {
  const { queue, bodies } = setUp();
  consume(t, queue, asDeliveries(bodies.toSpliced(4, 1)), 1e6);
  t.same(queue.result(null, 0), { ...NOTHING_WRONG, verified: 8, missing: 1 });
  const end = setUp();
  consume(t, end.queue, asDeliveries(end.bodies.slice(0, -2)), 1e6);
  t.same(end.queue.result(COUNT, 0), { ...NOTHING_WRONG, verified: 7, missing: 2 });
  t.same(end.queue.result(COUNT, 2), { ...NOTHING_WRONG, verified: 7 }, 'they are in the queue');
});

t.test('two that changed places are out of order', async (t) => {
  const { queue, bodies } = setUp();
  [bodies[3], bodies[4]] = [bodies[4]!, bodies[3]!];
  consume(t, queue, asDeliveries(bodies), 1e6);
  t.same(queue.result(COUNT, 0), { ...NOTHING_WRONG, outOfOrder: 1 });
});

t.test('a message that comes twice is a duplicate, unless it is redelivered', async (t) => {
  const { queue, bodies } = setUp();
  const again = { body: bodies[2]!, redelivered: true };
  consume(t, queue, [...asDeliveries(bodies), { body: bodies[1]! }, again], 1e6);
  t.same(queue.result(COUNT, 0), { ...NOTHING_WRONG, duplicates: 1, redelivered: 1 });
});

t.test('two consumers of a queue share its messages in any way, each in order', async (t) => {
  const { queue, bodies } = setUp();
  const [odd, even] = [1, 0].map((rest) => bodies.filter((_, i) => i % 2 === rest));
  consume(t, queue, asDeliveries(even ?? []), 100);
  consume(t, queue, asDeliveries(odd ?? []), 100);
  t.same(queue.result(COUNT, 0), NOTHING_WRONG);
});

t.test('a body with another octet or size is corrupt', async (t) => {
  const { queue, bodies } = setUp();
  const changed = Buffer.from(bodies[2]!);
  changed[4999]! ^= 1;
  const shortened = bodies[5]!.subarray(0, -1);
  const others = [...bodies.slice(0, 2), changed, ...bodies.slice(3, 5), shortened];
  consume(t, queue, asDeliveries([...others, ...bodies.slice(6)]), 100);
  t.same(queue.result(COUNT, 0), { ...NOTHING_WRONG, corrupt: 2 });
});

t.test('messages of an earlier run and of somebody else are passed over', async (t) => {
  const { queue, bodies, filling } = setUp();
  const others = stampedBodies({
    count: 2,
    bodySizesBytes: SIZES,
    filling,
    firstLane: LANE + 2 ** 22,
    frameMax: FRAME_MAX,
    dueUs: 0,
  });
  const bare = [Buffer.alloc(0), Buffer.from('short'), Buffer.alloc(100, 'x')];
  consume(t, queue, asDeliveries([...others, ...bare, ...bodies]), 100);
  t.same(queue.result(COUNT, 0), { ...NOTHING_WRONG, foreign: 5 });
});

t.test('where nothing is published any run is verified, from its first number on', async (t) => {
  const { filling, bodies } = setUp();
  const queue = new QueueVerification({ filling, bodySizesBytes: SIZES, firstLane: null });
  consume(t, queue, asDeliveries(bodies.slice(1)), 100);
  t.same(queue.result(null, 0), { ...NOTHING_WRONG, verified: 8, missing: 1 });
});
