/**
 * A seeded workload on one message store, the model of what a client may rely on, and the check of what a
 * boot brings back.
 *
 * A run is a chain of lives over one simulated disk. Each life opens the store, does random work, and ends:
 * in order, by a kill (the page cache stays), or by lost power, between two steps of the file system. After
 * each end the recovered state is compared with the model, and becomes the model of the next life.
 *
 * The model knows three things of a message: where its record lies, whether it has left its queue, and from
 * where in the log on that is told. "Confirmed" is `durableUpTo` behind the record, as for a client.
 */
import assert from 'node:assert/strict';
import { ByteArea } from '../base/byte-area.ts';
import type { Definition } from '../storage/definitions-format.ts';
import { BlockPool } from '../storage/memory-block.ts';
import { type CheckpointSource, MessageStore } from '../storage/message-store.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import { DEFINITION_ACTIONS, SETTLE_REASONS } from '../storage/record-format.ts';
import type { Recovered } from '../storage/recovery.ts';
import { RouteSet } from '../storage/route-set.ts';
import { segmentNumberOf, segmentOffsetOf } from '../storage/segment.ts';
import { StorageError } from '../storage/storage-error.ts';
import { ManualClock } from './manual-clock.ts';
import { Random } from './random.ts';
import type { BadSpell } from './simulated-faults.ts';
import { SimulatedFs } from './simulated-fs.ts';
import { testMessage, testMessageIdAt } from './test-message.ts';

/** Where the store lives on the simulated disk. */
const DIRECTORY = '/data/vhost';
/** Published at most in a life: enough for a new segment now and then. */
const BYTES_PER_LIFE = 36_000_000;
/** Not in the log yet: the turn is not over. */
const UNTOLD = Number.POSITIVE_INFINITY;

/** How a run is made. */
export interface CrashRunOptions {
  readonly seed: number;
  /** Ends of lives, and so comparisons. */
  readonly lives: number;
  /** False: the disk only claims to sync. */
  readonly syncs?: boolean;
  /** True: now and then the disk refuses for a while. */
  readonly failing?: boolean;
}

/** What goes wrong in a run with failures. */
const BAD_SPELLS: readonly Omit<BadSpell, 'length'>[] = [
  { calls: ['sync'], errno: 'EIO' },
  { calls: ['sync'], errno: 'EIO', chance: 0.5 },
  { calls: ['write'], errno: 'EIO' },
  { calls: ['write'], errno: 'ENOSPC' },
  { calls: ['create', 'rename'], errno: 'EIO', chance: 0.5 },
  { calls: ['syncDirectory'], errno: 'EIO' },
  { calls: ['delete'], errno: 'EIO' },
  { calls: ['open'], errno: 'EMFILE' },
  {
    calls: ['write', 'sync', 'create', 'rename', 'syncDirectory', 'delete'],
    errno: 'EIO',
    chance: 0.3,
  },
];

interface ModelMessage {
  readonly id: number;
  readonly size: number;
  readonly sequence: number;
  readonly position: number;
  /** How often it was handed to a consumer in this life, or may have been before. */
  deliveries: number;
  /** How often it came back before this life. */
  readonly returnsBefore: number;
  /** Log ends behind which its returns are told. */
  readonly returns: number[];
  /** Log end behind which its leave is told; null while it is in the queue. */
  goneBehind: number | null;
}

interface ModelQueue {
  readonly name: string;
  readonly index: QueueIndex;
  /** Log end behind which it is declared. */
  readonly definedBehind: number;
  deletedBehind: number | null;
  readonly messages: Map<number, ModelMessage>;
  readonly unacked: Set<ModelMessage>;
  /** Highest sequence number that may rightly be called redelivered. */
  deliveredUpTo: number;
}

/** Runs a chain of lives; rejects with an AssertionError at the first broken promise. */
export async function runCrashes(options: CrashRunOptions): Promise<void> {
  const { seed, lives, syncs = true, failing = false } = options;
  const random = new Random(seed);
  const pool = new BlockPool();
  let fs = new SimulatedFs({ completion: 'manual', syncs });
  let before: Life | null = null;
  for (let n = 0; n <= lives; n++) {
    const life: Life | null = await Life.begin(fs, pool, random, before, failing);
    if (life !== null) {
      if (n === lives) {
        life.abandon();
        return;
      }
      await life.live();
      life.abandon();
      before = life;
    }
    fs = fs.crash(random.pick(['kill', 'power', 'power']), random);
  }
}

class Life implements CheckpointSource {
  private readonly failing: boolean;
  private readonly fs: SimulatedFs;
  private readonly random: Random;
  private readonly clock: ManualClock;
  private readonly store: MessageStore;
  private readonly queues: ModelQueue[];
  /** Callbacks that learn the log end behind which their operation is told. */
  private untold: ((behind: number) => void)[];
  private queueNumber: number;
  private nextId: number;
  private stoppedInOrder: boolean;
  private readonly bodySizeMax: number;
  private bytesLeft: number;
  private readonly sets: Map<string, RouteSet>;

  private constructor(
    fs: SimulatedFs,
    random: Random,
    clock: ManualClock,
    store: MessageStore,
    recovered: Recovered,
    nextId: number,
    failing: boolean,
  ) {
    this.failing = failing;
    this.fs = fs;
    this.random = random;
    this.clock = clock;
    this.store = store;
    this.queues = queuesOf(fs, recovered);
    this.untold = [];
    this.queueNumber = recovered.nextQueueNumber;
    this.nextId = nextId;
    this.stoppedInOrder = false;
    this.bodySizeMax = random.chance(0.05) ? 3_000_000 : random.pick([8, 8, 300, 5000, 50_000]);
    this.bytesLeft = BYTES_PER_LIFE;
    this.sets = new Map();
  }

  /** Opens the store and checks it; null when the machine stopped while it did. */
  static async begin(
    fs: SimulatedFs,
    pool: BlockPool,
    random: Random,
    before: Life | null,
    failing: boolean,
  ): Promise<Life | null> {
    const clock = new ManualClock();
    if (before !== null && random.chance(0.15)) fs.stopAfter(random.below(6));
    try {
      const { store, recovered } = MessageStore.open({
        fs,
        directory: DIRECTORY,
        pool,
        clock,
        events: { turnNeeded: () => {}, durable: () => {}, stateChanged: () => {} },
      });
      before?.check(fs, recovered);
      return new Life(fs, random, clock, store, recovered, before?.nextId ?? 1, failing);
    } catch (error) {
      if (fs.hasStopped && error instanceof StorageError) return null;
      throw error;
    }
  }

  /** Does random work until the life's end. */
  async live(): Promise<void> {
    const { random } = this;
    const workCount = 20 + random.below(150);
    if (random.chance(0.6)) this.fs.stopAfter(random.below(80));
    if (random.chance(0.05)) for (let i = 0; i < 150; i++) this.declare();
    try {
      for (let i = 0; i < workCount && !this.fs.hasStopped; i++) await this.work();
      if (random.chance(0.25)) await this.stopInOrder();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** Frees the memory of the store, as the end of its process would. */
  abandon(): void {
    this.store.close();
  }

  // --- work ------------------------------------------------------------------------------------

  private async work(): Promise<void> {
    const { random } = this;
    const dice = random.next();
    const queue = random.pick(this.queues.filter((q) => q.deletedBehind === null));
    if (dice < 0.4) {
      for (let i = random.below(8); i >= 0; i--) this.publish();
    } else if (dice < 0.52) {
      for (let i = random.below(12); i >= 0 && queue !== undefined; i--) this.deliver(queue);
    } else if (dice < 0.66) {
      for (let i = random.below(12); i >= 0 && queue !== undefined; i--) this.acknowledge(queue);
    } else if (dice < 0.7) {
      if (queue !== undefined) this.requeue(queue, random.next());
    } else if (dice < 0.72) {
      if (queue !== undefined) this.purge(queue);
    } else if (dice < 0.75) {
      this.declare();
    } else if (dice < 0.76) {
      if (queue !== undefined) this.delete(queue);
    } else if (dice < 0.79) {
      this.store.checkpoint(this, false).catch(() => {});
    } else if (this.failing && dice < 0.82) {
      if (random.chance(0.2)) this.fs.heal();
      else this.fs.failFor({ ...random.pick(BAD_SPELLS), length: 1 + random.below(6) });
    } else {
      await this.turn();
    }
  }

  /** Ends a turn; now and then time has passed, somebody waits for the disk, or the disk has answered. */
  private async turn(): Promise<void> {
    const { random, store } = this;
    if (random.chance(0.3)) this.clock.advance(random.pick([6, 6, 6, 120, 1100]));
    if (random.chance(0.4)) {
      const { end } = store.log;
      store.log.waitForAll({ durableAdvanced: () => store.log.durableUpTo >= end });
    }
    this.endTurn();
    if (random.chance(0.5)) this.fs.complete(1 + random.below(3));
    await nextTurn();
  }

  private endTurn(): void {
    this.store.log.endTurn();
    for (const tell of this.untold) tell(this.store.log.end);
    this.untold = [];
  }

  private publish(): void {
    const { random } = this;
    const alive = this.queues.filter((q) => q.deletedBehind === null);
    const queues = alive.filter(() => random.chance(alive.length > 9 ? 0.02 : 0.4));
    if (queues.length === 0 || this.bytesLeft < 0) return;
    const key = queues.map((q) => q.index.number).join();
    const set = this.sets.get(key) ?? new RouteSet(queues.map((q) => q.index));
    this.sets.set(key, set);
    const id = this.nextId++;
    const size = 4 + random.below(this.bodySizeMax);
    this.bytesLeft -= size;
    const position = this.store.publish(testMessage(id, size), set);
    for (const queue of queues) {
      const sequence = queue.index.append(position, size);
      queue.messages.set(sequence, {
        id,
        size,
        sequence,
        position,
        deliveries: 0,
        returnsBefore: 0,
        returns: [],
        goneBehind: null,
      });
    }
  }

  /** Delivers as the broker does: never past what the log holds a reservation for. */
  private deliver(queue: ModelQueue): void {
    const { index } = queue;
    const { log } = this.store;
    if (index.readyCount === 0) return;
    const sequence = index.peekSequence();
    if (sequence > index.deliverableUpTo) {
      if (index.reservedUpTo > index.deliverableUpTo) return;
      const upTo = sequence + this.random.below(30);
      index.reservedUpTo = upTo;
      const position = log.reserveDeliveries(index, upTo);
      log.waitForAll({
        durableAdvanced() {
          if (log.durableUpTo <= position) return false;
          index.deliverableUpTo = upTo;
          return true;
        },
      });
      return;
    }
    const message = queue.messages.get(sequence);
    assert.ok(message !== undefined, `queue ${queue.name}: number ${sequence} was never entered`);
    index.take(message.size);
    assert.equal(index.takenSequence, sequence);
    assert.equal(index.takenPosition, message.position);
    message.deliveries++;
    queue.deliveredUpTo = Math.max(queue.deliveredUpTo, sequence);
    queue.unacked.add(message);
  }

  private acknowledge(queue: ModelQueue): void {
    const message = this.anyUnacked(queue);
    if (message === null) return;
    queue.unacked.delete(message);
    const { sequence, position, size } = message;
    const reason = this.random.chance(0.8) ? SETTLE_REASONS.acked : SETTLE_REASONS.dropped;
    this.store.settle(queue.index, sequence, position, size, reason);
    this.gone(message);
  }

  private requeue(queue: ModelQueue, share: number): void {
    const entries: number[] = [];
    for (const message of queue.unacked) {
      if (!this.random.chance(share)) continue;
      queue.unacked.delete(message);
      entries.push(message.sequence, message.position, message.size);
      const at = message.returns.push(UNTOLD) - 1;
      this.untold.push((behind) => {
        message.returns[at] = behind;
      });
    }
    this.store.requeue(queue.index, entries);
  }

  private purge(queue: ModelQueue): void {
    this.store.purge(queue.index);
    for (const message of queue.messages.values()) {
      if (message.goneBehind === null && !queue.unacked.has(message)) this.gone(message);
    }
  }

  private declare(): void {
    const number = this.queueNumber++;
    const name = `q${this.random.below(400)}`;
    if (this.queues.some((q) => q.name === name && q.deletedBehind === null)) return;
    const position = this.store.define(DEFINITION_ACTIONS.declare, number, declareFrame(name));
    this.queues.push(newQueue(name, new QueueIndex(number, true), position + 1));
  }

  private delete(queue: ModelQueue): void {
    const { number } = queue.index;
    const frame = Buffer.from(`delete ${queue.name}`);
    queue.deletedBehind = this.store.define(DEFINITION_ACTIONS.deleteQueue, number, frame) + 1;
    this.store.dropIndex(queue.index);
  }

  /** Gives everything back, writes the last checkpoint. */
  private async stopInOrder(): Promise<void> {
    for (const queue of this.queues) if (queue.deletedBehind === null) this.requeue(queue, 1);
    this.endTurn();
    let ended = false;
    const stop = this.store.checkpoint(this, true).finally(() => {
      ended = true;
    });
    stop.catch(() => {});
    while (!ended) {
      this.fs.complete();
      await nextTurn();
    }
    await stop;
    this.stoppedInOrder = true;
  }

  private gone(message: ModelMessage): void {
    message.goneBehind = UNTOLD;
    this.untold.push((behind) => {
      message.goneBehind = behind;
    });
  }

  private anyUnacked(queue: ModelQueue): ModelMessage | null {
    const unacked = [...queue.unacked];
    return unacked.length === 0 ? null : this.random.pick(unacked);
  }

  // --- what a checkpoint asks for ----------------------------------------------------------------

  durableIndexes(): readonly QueueIndex[] {
    return this.queues.filter((q) => q.deletedBehind === null).map((q) => q.index);
  }

  definitions(): readonly Definition[] {
    return this.queues
      .filter((q) => q.deletedBehind === null)
      .map((q) => ({ queue: q.index.number, frame: declareFrame(q.name) }));
  }

  nextQueueNumber(): number {
    return this.queueNumber;
  }

  // --- the check ---------------------------------------------------------------------------------

  /** Compares what the next boot found with what this life promised. */
  check(fs: SimulatedFs, recovered: Recovered): void {
    if (this.stoppedInOrder) assert.ok(recovered.clean, 'a stop in order is recognised');
    const { durableUpTo } = this.store.log;
    const named = namesOf(recovered);
    for (const queue of this.queues) this.checkQueue(fs, recovered, named, queue, durableUpTo);
    const known = new Set(named.values());
    for (const { number, readyCount } of recovered.queues.values()) {
      assert.ok(known.has(number) || readyCount === 0, `queue number ${number} has no definition`);
    }
    assert.deepEqual(recovered.damage, [], 'a crash is no damage');
  }

  private checkQueue(
    fs: SimulatedFs,
    recovered: Recovered,
    named: ReadonlyMap<string, number>,
    queue: ModelQueue,
    durableUpTo: number,
  ): void {
    const { number } = queue.index;
    const isThere = named.get(queue.name) === number;
    if (queue.definedBehind <= durableUpTo) {
      assert.ok(recovered.nextQueueNumber > number, `queue number ${number} would be used again`);
      if (queue.deletedBehind === null) assert.ok(isThere, `declared queue ${queue.name} is gone`);
    }
    if (queue.deletedBehind !== null && queue.deletedBehind <= durableUpTo) {
      assert.ok(!isThere, `deleted queue ${queue.name} is back`);
    }
    if (!isThere) return;
    const found = contentOf(fs, recovered.queues.get(number));
    if (queue.deletedBehind === null) this.checkKept(queue, found, durableUpTo);
    this.checkFound(queue, found, durableUpTo);
    const index = recovered.queues.get(number);
    if (index === undefined) return;
    assert.equal(index.readyCount, found.length, 'ready count');
    const bytes = found.reduce((sum, { size }) => sum + size, 0);
    if (queue.deletedBehind === null) assert.equal(index.readyBytes, bytes, 'ready bytes');
    if (this.stoppedInOrder) {
      assert.ok(index.redeliveredUpTo <= queue.deliveredUpTo, 'redelivered without a delivery');
    }
  }

  /** What was confirmed and did not leave is there, with what is known of it. */
  private checkKept(queue: ModelQueue, found: readonly Found[], durableUpTo: number): void {
    const bySequence = new Map(found.map((f) => [f.sequence, f]));
    for (const message of queue.messages.values()) {
      if (message.position >= durableUpTo || message.goneBehind !== null) continue;
      const what = `queue ${queue.name}, message ${message.id} (number ${message.sequence})`;
      const there = bySequence.get(message.sequence);
      assert.ok(there !== undefined, `${what} was confirmed and is lost`);
      assert.equal(there.id, message.id, `${what} is another one`);
      if (message.deliveries > 0) assert.ok(there.redelivered, `${what} is not redelivered`);
      const told = message.returns.filter((behind) => behind <= durableUpTo).length;
      const atLeast = message.returnsBefore + told;
      const atMost = message.returnsBefore + message.returns.length;
      const returns = there.deliveryCount;
      assert.ok(returns >= atLeast && returns <= atMost, `${what} came back ${returns} times`);
    }
  }

  /** What is there was published there, in this order, and had not left for good. */
  private checkFound(queue: ModelQueue, found: readonly Found[], durableUpTo: number): void {
    let last = 0;
    for (const { id, sequence } of found) {
      const what = `queue ${queue.name}, message ${id} (number ${sequence})`;
      assert.ok(id > 0, `${what} is not what was published`);
      assert.ok(sequence > last, `${what} is out of order`);
      last = sequence;
      const message = queue.messages.get(sequence);
      assert.equal(message?.id, id, `${what} was never published there`);
      const { goneBehind } = message!;
      assert.ok(goneBehind === null || goneBehind > durableUpTo, `${what} had left and is back`);
    }
  }
}

interface Found {
  readonly id: number;
  readonly size: number;
  readonly sequence: number;
  readonly position: number;
  readonly redelivered: boolean;
  readonly deliveryCount: number;
}

/** Reads the messages of a recovered queue from the disk. */
function contentOf(fs: SimulatedFs, index: QueueIndex | undefined): Found[] {
  const found: Found[] = [];
  const segments = new Map<number, ByteArea>();
  index?.forEachUnsettled((sequence, position) => {
    const segment = segmentOf(position);
    const area = segments.get(segment) ?? new ByteArea(wholeSegment(fs, segment));
    segments.set(segment, area);
    const at = offsetOf(position);
    const id = testMessageIdAt(area, at);
    found.push({
      id,
      size: id < 0 ? 0 : area.view.getUint32(at + 4),
      sequence,
      position,
      redelivered: sequence <= index.redeliveredUpTo,
      deliveryCount: index.deliveryCount(sequence),
    });
  });
  return found;
}

/** The bytes of a segment: each file holds it from its offset on. */
function wholeSegment(fs: SimulatedFs, segment: number): Buffer {
  let whole = Buffer.alloc(0);
  for (const name of fs.list(DIRECTORY)) {
    if (segmentNumberOf(name) !== segment) continue;
    const from = segmentOffsetOf(name);
    const before = Buffer.alloc(from);
    whole.copy(before, 0, 0, from);
    whole = Buffer.concat([before, fs.readFile(`${DIRECTORY}/${name}`)!.subarray(from)]);
  }
  return whole;
}

function declareFrame(name: string): Buffer {
  return Buffer.from(`declare ${name}`);
}

/** The queues that the recovered definitions give: name to number. */
function namesOf(recovered: Recovered): Map<string, number> {
  const named = new Map<string, number>();
  for (const { queue, frame } of recovered.definitions) {
    const [verb, name] = frame.toString().split(' ');
    if (verb === 'declare') named.set(name!, queue);
    else if (named.get(name!) === queue) named.delete(name!);
  }
  return named;
}

function newQueue(name: string, index: QueueIndex, definedBehind: number): ModelQueue {
  return {
    name,
    index,
    definedBehind,
    deletedBehind: null,
    messages: new Map(),
    unacked: new Set(),
    deliveredUpTo: index.redeliveredUpTo,
  };
}

/** What was recovered, as the model of the next life: all of it counts. */
function queuesOf(fs: SimulatedFs, recovered: Recovered): ModelQueue[] {
  return [...namesOf(recovered)].map(([name, number]) => {
    const index = recovered.queues.get(number) ?? new QueueIndex(number, true);
    const queue = newQueue(name, index, 0);
    for (const { id, size, sequence, position, redelivered, deliveryCount } of contentOf(
      fs,
      index,
    )) {
      queue.messages.set(sequence, {
        id,
        size,
        sequence,
        position,
        deliveries: redelivered ? 1 : 0,
        returnsBefore: deliveryCount,
        returns: [],
        goneBehind: null,
      });
    }
    return queue;
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
