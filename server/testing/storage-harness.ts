/** A message store over a simulated disk, for tests that drive it by hand. */

import { ByteArea } from '../base/byte-area.ts';
import { FileCache } from '../storage/file-cache.ts';
import type { LogState } from '../storage/log-health.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { MessageStore, type MessageStoreOptions } from '../storage/message-store.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import type { Recovered } from '../storage/recovery.ts';
import { RouteSet } from '../storage/route-set.ts';
import { segmentFileName, segmentNumberOf, segmentOffsetOf } from '../storage/segment.ts';
import { ManualClock } from './manual-clock.ts';
import type { SimulatedFs } from './simulated-fs.ts';
import type { Teardown } from './temporary-directory.ts';
import { testMessage, testMessageIdAt } from './test-message.ts';

/** Where the store lives on the simulated disk. */
export const STORE_DIRECTORY: string = '/data/vhost';

/** What a test may want other than usual. */
export type StoreOptions = Partial<Omit<MessageStoreOptions, 'fs' | 'directory'>>;

/** An open store and what a test does to it. */
export class StorageHarness {
  readonly fs: SimulatedFs;
  readonly clock: ManualClock;
  readonly pool: BlockPool;
  readonly cache: FileCache;
  readonly store: MessageStore;
  readonly recovered: Recovered;
  /** What the log said of itself, in turn. */
  readonly states: LogState[];
  /** How often the log told that more became durable. */
  durableCalls: number;
  private last: readonly QueueIndex[];
  private set: RouteSet;

  private constructor(fs: SimulatedFs, options: StoreOptions) {
    this.fs = fs;
    this.clock = new ManualClock();
    this.pool = new BlockPool();
    this.cache = options.cache ?? new FileCache(fs);
    this.states = [];
    this.durableCalls = 0;
    this.last = [];
    this.set = new RouteSet([]);
    const { store, recovered } = MessageStore.open({
      ...options,
      fs,
      directory: STORE_DIRECTORY,
      pool: this.pool,
      cache: this.cache,
      clock: this.clock,
      events: {
        turnNeeded: () => {},
        durable: () => {
          this.durableCalls++;
        },
        stateChanged: (state) => this.states.push(state),
      },
      ...options,
    });
    this.store = store;
    this.recovered = recovered;
  }

  /** Opens a store; it is closed when the test ends. */
  static open(t: Teardown, fs: SimulatedFs, options: StoreOptions = {}): StorageHarness {
    const harness = new StorageHarness(fs, options);
    t.teardown(() => harness.store.close());
    return harness;
  }

  /** A recovered queue, or a new durable one with this number. */
  queue(number: number): QueueIndex {
    const queue = this.recovered.queues.get(number) ?? new QueueIndex(number, true);
    this.store.adopt(queue);
    return queue;
  }

  /** A queue that the log knows nothing of. */
  transientQueue(): QueueIndex {
    const queue = new QueueIndex(0, false);
    this.store.adopt(queue);
    return queue;
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
  const contents = new Map<string, ByteArea>();
  index.forEachUnsettled((_sequence, position) => {
    const path = `${STORE_DIRECTORY}/${fileHolding(fs, position)}`;
    const bytes = contents.get(path) ?? new ByteArea(fs.readFile(path) ?? Buffer.alloc(0));
    contents.set(path, bytes);
    ids.push(testMessageIdAt(bytes, offsetOf(position)));
  });
  return ids;
}

/** The name of the segment file that holds a position: the last one that begins at or before it. */
function fileHolding(fs: SimulatedFs, position: number): string {
  const first = segmentFileName(segmentOf(position));
  const names = fs
    .list(STORE_DIRECTORY)
    .filter((name) => segmentNumberOf(name) === segmentOf(position));
  return names.findLast((name) => segmentOffsetOf(name) <= offsetOf(position)) ?? first;
}
