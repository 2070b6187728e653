/** A message store over a simulated disk, for tests that drive it by hand. */

import { ByteArea } from '../base/byte-area.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { MessageStore } from '../storage/message-store.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import type { Recovered } from '../storage/recovery.ts';
import { RouteSet } from '../storage/route-set.ts';
import { segmentFileName } from '../storage/segment.ts';
import type { StorageError } from '../storage/storage-error.ts';
import { ManualClock } from './manual-clock.ts';
import type { SimulatedFs } from './simulated-fs.ts';
import type { Teardown } from './temporary-directory.ts';
import { testMessage, testMessageIdAt } from './test-message.ts';

/** Where the store lives on the simulated disk. */
export const STORE_DIRECTORY: string = '/data/vhost';

/** An open store and what a test does to it. */
export class StorageHarness {
  readonly fs: SimulatedFs;
  readonly clock: ManualClock;
  readonly pool: BlockPool;
  readonly store: MessageStore;
  readonly recovered: Recovered;
  /** What the log said when it failed. */
  readonly failures: StorageError[];
  /** How often the log told that more became durable. */
  durableCalls: number;
  private last: readonly QueueIndex[];
  private set: RouteSet;

  private constructor(fs: SimulatedFs) {
    this.fs = fs;
    this.clock = new ManualClock();
    this.pool = new BlockPool();
    this.failures = [];
    this.durableCalls = 0;
    this.last = [];
    this.set = new RouteSet([]);
    const { store, recovered } = MessageStore.open({
      fs,
      directory: STORE_DIRECTORY,
      pool: this.pool,
      clock: this.clock,
      events: {
        turnNeeded: () => {},
        durable: () => {
          this.durableCalls++;
        },
        failed: (error) => this.failures.push(error),
      },
    });
    this.store = store;
    this.recovered = recovered;
  }

  /** Opens a store; it is closed when the test ends. */
  static open(t: Teardown, fs: SimulatedFs): StorageHarness {
    const harness = new StorageHarness(fs);
    t.teardown(() => harness.store.close());
    return harness;
  }

  /** A recovered queue, or a new durable one with this number. */
  queue(number: number): QueueIndex {
    return this.recovered.queues.get(number) ?? new QueueIndex(number, true);
  }

  /** A queue that the log knows nothing of. */
  transientQueue(): QueueIndex {
    return new QueueIndex(0, false);
  }

  /** Publishes a test message to queues; returns its position. */
  publish(id: number, queues: readonly QueueIndex[], bodySize: number = 8): number {
    const isLast = queues.length === this.last.length && queues.every((q, i) => q === this.last[i]);
    if (!isLast) this.set = new RouteSet(queues);
    this.last = queues;
    const position = this.store.publish(testMessage(id, bodySize), this.set);
    for (const queue of queues) queue.append(position, bodySize);
    return position;
  }

  /** Takes the first `count` messages of a queue and settles them. */
  consume(queue: QueueIndex, count: number, bodySize: number = 8): void {
    for (let i = 0; i < count; i++) {
      queue.take(bodySize);
      this.store.settle(queue, queue.takenSequence, queue.takenPosition, bodySize, 0);
    }
  }

  /** Writes a checkpoint that knows these queues. */
  async checkpoint(queues: readonly QueueIndex[], clean: boolean = false): Promise<void> {
    await this.store.checkpoint(
      {
        durableIndexes: () => queues,
        allIndexes: () => queues,
        definitions: () =>
          queues.map(({ number }) => ({ queue: number, frame: Buffer.from(`queue ${number}`) })),
        nextQueueNumber: () => 1 + Math.max(0, ...queues.map(({ number }) => number)),
      },
      clean,
    );
  }

  /** The test messages of a recovered queue as the disk holds them; -1 for one that is not whole. */
  idsOf(number: number): number[] {
    return idsIn(this.fs, this.queue(number));
  }
}

/** The test messages that an index leads to on the disk, in order. */
export function idsIn(fs: SimulatedFs, index: QueueIndex): number[] {
  const ids: number[] = [];
  index.forEachUnsettled((_sequence, position) => {
    const bytes = fs.readFile(`${STORE_DIRECTORY}/${segmentFileName(segmentOf(position))}`);
    ids.push(testMessageIdAt(new ByteArea(bytes ?? Buffer.alloc(0)), offsetOf(position)));
  });
  return ids;
}
