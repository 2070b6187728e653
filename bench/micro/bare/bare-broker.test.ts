import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { Drain } from '../../storage/consume.ts';
import { publishMessages } from '../../storage/publish.ts';
import { createBareTarget } from '../../targets/stand-in-target.ts';
import { DEFAULT_START } from '../../targets/target.ts';
import { Load } from '../../throughput/load.ts';
import { THROUGHPUT_DEFAULTS } from '../../throughput/throughput-options.ts';

const QUEUES = ['q'];

for (const writesConsumed of [false, true]) {
  const kept = writesConsumed ? 'and all of it written' : 'and what is consumed not written';
  t.test(`the bare broker delivers what it was given, ${kept}`, async (t) => {
    const broker = await createBareTarget(null).start({ ...DEFAULT_START, writesConsumed });
    t.teardown(() => broker.stop());
    // The first lie in memory, the second in the file for the most part, the third in pieces of what is read.
    for (const [countPerQueue, bodySizeBytes] of [
      [1000, 16],
      [300_000, 16],
      [200, 65_536],
    ] as const) {
      await publishMessages(broker.uri, { queues: QUEUES, countPerQueue, bodySizeBytes });
      const drain = await Drain.connect(broker.uri, 1, countPerQueue);
      await drain.run(QUEUES);
      await drain.finish(QUEUES);
    }
    t.pass('the scanner of the consumer has found every frame');
  });
}

t.test('contents that come in pieces on two connections stay apart', async (t) => {
  const broker = await createBareTarget(null).start(DEFAULT_START);
  t.teardown(() => broker.stop());
  const what = { queues: QUEUES, countPerQueue: 300, bodySizeBytes: 50_000 };
  await Promise.all([1, 2].map(() => publishMessages(broker.uri, what)));
  const drain = await Drain.connect(broker.uri, 1, 600);
  await drain.run(QUEUES);
  await drain.finish(QUEUES);
});

t.test('the bare broker confirms, and keeps to a prefetch', async (t) => {
  const broker = await createBareTarget(null).start(DEFAULT_START);
  t.teardown(() => broker.stop());
  const load = new Load({
    ...THROUGHPUT_DEFAULTS,
    uri: broker.uri,
    queues: QUEUES,
    confirmWindow: 100,
    prefetchCount: 100,
    ackEvery: 10,
  });
  await load.connect();
  // More than a window and a prefetch: it goes on only where confirms and deliveries come.
  const isEnough = eventually(() => load.published >= 1000 && load.consumed >= 1000);
  const consumed = load.consume(isEnough);
  await load.publish(isEnough);
  await consumed;
  await load.close();
});

async function eventually(isReached: () => boolean): Promise<void> {
  while (!isReached()) await setTimeout(5);
}
