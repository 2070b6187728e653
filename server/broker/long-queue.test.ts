/** Queues that are longer than what is kept in memory: their messages come from files, shared where they lie together. */
import assert from 'node:assert';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { realFileSystem } from '../storage/fs.ts';
import { BLOCK_SIZE } from '../storage/memory-block.ts';
import { eventually } from '../testing/eventually.ts';
import { interceptReads } from '../testing/intercept-reads.ts';
import { openBroker, publishAll, RecordingSink, testActor } from '../testing/open-broker.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { declareQueue } from './queues.ts';
import type { Vhost } from './vhost.ts';

function declare(vhost: Vhost, name: string, durable: boolean): void {
  declareQueue(vhost, testActor(), {
    name,
    durable,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  });
}

/** `count` bodies of 1 KiB that tell their queue and number. */
function bodiesOf(queue: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${queue}/${number}`.padEnd(1024));
}

t.test('messages of a transient queue that were spilled to files are delivered', async (t) => {
  const { vhost } = await openBroker(t, realFileSystem, temporaryDirectory(t), {
    transientMemoryBytes: 2 * BLOCK_SIZE,
  });
  declare(vhost, 'q', false);
  const bodies = bodiesOf('q', 8000);
  publishAll(vhost, 'q', bodies);
  const sink = new RecordingSink();
  sink.consume(vhost.queue('q'));
  await eventually(() => assert(sink.deliveries.length >= bodies.length));
  t.same(
    sink.deliveries.map(({ body }) => body),
    bodies,
  );
});

t.test('queues whose messages lie interleaved share what is read', async (t) => {
  const names = Array.from({ length: 20 }, (_, i) => `q${i}`);
  const first = await openBroker(t);
  for (const name of names) declare(first.vhost, name, true);
  const messages = names.map((name) => bodiesOf(name, 400));
  for (let number = 0; number < 400; number++) {
    for (const [i, name] of names.entries()) publishAll(first.vhost, name, [messages[i]![number]!]);
  }
  await first.close();
  let bytesRead = 0;
  const fs = interceptReads(async (_path, read) => {
    const count = await read();
    bytesRead += count;
    return count;
  });
  const second = await openBroker(t, fs, first.dataDir);
  const sinks = names.map(() => new RecordingSink());
  for (const [i, name] of names.entries()) sinks[i]!.consume(second.vhost.queue(name));
  await eventually(() => assert(sinks.every(({ deliveries }) => deliveries.length >= 400)));
  for (const [i, { deliveries }] of sinks.entries()) {
    t.same(
      deliveries.map(({ body }) => body),
      messages[i],
    );
  }
  // Each for itself they read all of it more than twenty times; how much less it is depends on how the reads end: 1 to 5 times.
  const stored = names.length * 400 * 1024;
  t.ok(bytesRead < 10 * stored, `${bytesRead} bytes were read for ${stored} stored`);
});
