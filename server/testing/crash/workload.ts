/**
 * Seeded work on a broker: publishers, consumers and an admin who do what the dice say, as far as the model knows
 * that it is allowed. Each kind of work is one entry of {@link WORK}.
 */
import type { Random } from '../random.ts';
import { CrashAdmin } from './admin.ts';
import { BODY_SIZE_MIN } from './body.ts';
import { CrashConsumer } from './consumer.ts';
import type { Machine } from './machine.ts';
import type { Model, ModelQueue } from './model.ts';
import { CrashMover } from './mover.ts';
import type { DiskProfile } from './profiles.ts';
import { CrashPublisher } from './publisher.ts';
import type { Recorder } from './recorder.ts';
import { CrashTransactor, type TxNumbers } from './transactor.ts';

/** Names that queues are given again and again: durable ones, transient ones. */
export const QUEUE_NAMES: readonly string[] = ['q0', 'q1', 'q2', 'q3', 'q4', 'q5', 't0', 't1'];
const FANOUT = 'x.fan';
const DIRECT = 'x.dir';
/** Exchange and binding keys in use. */
export const ROUTES: readonly (readonly [string, string])[] = [
  [FANOUT, 'any'],
  [DIRECT, 'a'],
  [DIRECT, 'b'],
];

const PUBLISHERS = 2;
const CONSUMERS = 2;
/** More than this and nothing is learnt from another message. */
const UNACKED_MAX = 400;

/** So many messages are a few rows of an index (`indexRowEntries` in machine.ts). */
const LONG_COUNT = 40;

/** Messages that are read at once. */
const RUN_MAX = 6;

/** A body of this size does not lie in the log. */
const LARGE_SIZE_MIN = 1024 * 1024 + 1;

/** How much happens in a life. */
interface Temper {
  readonly steps: number;
  readonly bodySizeMax: number;
  readonly bytesMax: number;
  /** Messages of one burst. */
  readonly burstMax: number;
  /** Whether there are bodies that do not lie in the log. */
  readonly hasLarge: boolean;
}

/** Numbers messages over all lives of a run. */
export interface MessageNumbers {
  next: number;
}

/** The work of one life. */
export class Workload {
  readonly machine: Machine;
  readonly recorder: Recorder;
  readonly random: Random;
  private readonly numbers: MessageNumbers;
  private readonly profile: DiskProfile;
  private readonly temper: Temper;
  private readonly admin: CrashAdmin;
  private readonly publishers: CrashPublisher[];
  private readonly consumers: CrashConsumer[];
  private transactor: CrashTransactor;
  private readonly mover: CrashMover;
  private readonly txNumbers: TxNumbers;
  private bytes: number;
  private publisherCount: number;

  constructor(
    machine: Machine,
    recorder: Recorder,
    random: Random,
    numbers: MessageNumbers,
    profile: DiskProfile,
  ) {
    this.machine = machine;
    this.recorder = recorder;
    this.random = random;
    this.numbers = numbers;
    this.profile = profile;
    const isSmall = profile.disk?.capacityBytes !== undefined;
    this.temper = {
      steps: isSmall ? 120 + random.below(150) : 20 + random.below(100),
      // What comes before the broker notices that a small disk is full must fit into its reserve.
      bodySizeMax: random.pick(isSmall ? [300, 5000, 5000] : [16, 16, 300, 300, 5000, 50_000]),
      // As much as fills a small disk.
      bytesMax: isSmall || random.chance(0.1) ? 3_000_000 : 300_000,
      burstMax: random.pick(isSmall ? [8, 8, 15] : [1, 3, 8, 8, 30]),
      hasLarge: random.chance(0.25),
    };
    this.bytes = 0;
    this.publisherCount = 0;
    this.admin = new CrashAdmin(machine, recorder);
    this.publishers = Array.from({ length: PUBLISHERS }, () => this.newPublisher());
    this.consumers = Array.from({ length: CONSUMERS }, () => this.newConsumer());
    this.txNumbers = { next: 1 };
    this.transactor = this.newTransactor();
    this.mover = new CrashMover(machine, recorder, this.txNumbers);
  }

  /** Does it all; what is under way at the end is left so. */
  async run(): Promise<void> {
    await this.turn();
    if (this.profile.disk?.capacityBytes !== undefined) await this.awaitReserve();
    this.declareSome();
    for (let i = 0; i < this.temper.steps && this.recorder.troubles.length === 0; i++) {
      await this.step();
    }
  }

  /** A disk is hardly ever full before its reserve is taken; these are so small that it would be. */
  private async awaitReserve(): Promise<void> {
    const { machine } = this;
    const isSettled = (): boolean => machine.hasReserve || machine.holds.publishes;
    for (let turns = 0; turns < 100 && !isSettled(); turns++) await machine.turn(0, 4);
  }

  /** All clients leave, without a word. */
  end(): void {
    for (const session of [this.admin, this.transactor, ...this.publishers, ...this.consumers])
      session.drop();
  }

  private get model(): Model {
    return this.recorder.model;
  }

  private async step(): Promise<void> {
    let left = this.random.next() * WORK_WEIGHT;
    for (const [weight, work] of WORK) {
      left -= weight;
      if (left < 0) return work(this);
    }
  }

  /** A turn of the loop; now and then time has passed, or the disk has answered. */
  async turn(): Promise<void> {
    const { random } = this;
    const ms = random.chance(0.3) ? 6 : random.chance(0.05) ? 300 : 0;
    const answers = random.chance(0.6) ? 1 + random.below(3) : 0;
    await this.machine.turn(ms, answers);
    this.recorder.add({ type: 'turn' });
  }

  declareSome(): void {
    const { random, admin } = this;
    for (const [exchange, key] of ROUTES) {
      const type = exchange === FANOUT ? 'fanout' : 'direct';
      if (this.model.exchange(exchange) === null && random.chance(0.8)) {
        admin.ask({ kind: 'declare-exchange', name: exchange, type });
      }
      for (const queue of random.chance(0.7) ? QUEUE_NAMES : []) {
        if (random.chance(0.5)) this.declare(queue);
        if (random.chance(0.5)) this.bind('bind', exchange, queue, key);
      }
    }
  }

  publishSome(): void {
    const { random, temper } = this;
    const publisher = this.anyPublisher();
    if (!this.admin.isHeard) return;
    for (let i = random.below(temper.burstMax); i >= 0; i--) {
      if (this.bytes > temper.bytesMax || publisher.isRefused) return;
      const [exchange, key] = random.chance(0.4)
        ? random.pick(ROUTES)
        : ['', random.pick(QUEUE_NAMES)];
      if (exchange !== '' && this.model.exchange(exchange) === null) continue;
      const length = random.chance(0.7) ? 1 : 1 + random.below(RUN_MAX);
      const run = Array.from({ length }, () => ({
        id: this.numbers.next++,
        size: BODY_SIZE_MIN + random.below(temper.bodySizeMax),
      }));
      for (const { size } of run) this.bytes += size;
      publisher.publishRun(exchange, key, run);
    }
  }

  /** A body that does not lie in the log, piece by piece, or cut off in the middle. */
  async publishLarge(): Promise<void> {
    const { random, temper } = this;
    const publisher = this.anyPublisher();
    if (!this.admin.isHeard || this.bytes > temper.bytesMax || !temper.hasLarge) return;
    const size = LARGE_SIZE_MIN + random.below(LARGE_SIZE_MIN / 4);
    this.bytes += size / 4;
    const [exchange, key] = random.chance(0.3)
      ? random.pick(ROUTES)
      : ['', random.pick(QUEUE_NAMES)];
    if (exchange !== '' && this.model.exchange(exchange) === null) return;
    publisher.publish(this.numbers.next++, exchange, key, size);
  }

  consume(): void {
    const { random } = this;
    const queue = this.anyQueue();
    const consumer = this.anyConsumer();
    if (queue === null || consumer.unackedCount > UNACKED_MAX) return;
    if (random.chance(0.5) || consumer.sourceCount > 3) {
      for (let i = random.below(8); i >= 0; i--) {
        consumer.get(queue.name, queue.key, random.chance(0.1));
      }
    } else {
      consumer.consume(queue.name, queue.key, random.pick([1, 5, 50]), random.chance(0.1));
    }
  }

  cancel(): void {
    const consumer = this.anyConsumer();
    if (consumer.sourceCount > 0) consumer.cancel();
  }

  settle(): void {
    const { random } = this;
    const consumer = this.anyConsumer();
    for (let i = random.below(10); i >= 0 && consumer.unackedCount > 0; i--) {
      consumer.settle(random.chance(0.2), random.chance(0.85));
    }
  }

  requeue(): void {
    const { random } = this;
    const consumer = this.anyConsumer();
    for (let i = random.below(4); i >= 0 && consumer.unackedCount > 0; i--) {
      consumer.requeue(random.chance(0.3));
    }
  }

  async dropConnection(): Promise<void> {
    const { random } = this;
    if (random.chance(0.2)) {
      this.transactor.drop();
      this.transactor = this.newTransactor();
    } else if (random.chance(0.5)) {
      const at = random.below(PUBLISHERS);
      this.publishers[at]!.drop();
      this.publishers[at] = this.newPublisher();
    } else {
      const at = random.below(CONSUMERS);
      this.consumers[at]!.drop();
      this.consumers[at] = this.newConsumer();
    }
    // What a new connection sends is read from the next turn on.
    await this.turn();
  }

  purge(): void {
    const queue = this.anyQueue();
    if (queue !== null && this.admin.isHeard) this.admin.ask({ kind: 'purge', name: queue.name });
  }

  declareAny(): void {
    this.declare(this.random.pick(QUEUE_NAMES));
  }

  /** Deletes a queue, and half the time declares its name again in the same breath. */
  deleteQueue(): void {
    const queue = this.anyQueue();
    if (queue === null || !this.admin.isHeard) return;
    const { name, durable } = queue;
    const changes = [
      { kind: 'delete-queue', name },
      { kind: 'declare-queue', name, durable },
    ] as const;
    this.admin.ask(...(this.random.chance(0.5) ? changes : changes.slice(0, 1)));
  }

  rebind(): void {
    const { random } = this;
    const [exchange, key] = random.pick(ROUTES);
    this.bind(random.chance(0.6) ? 'bind' : 'unbind', exchange, random.pick(QUEUE_NAMES), key);
  }

  changeExchange(): void {
    const { random, admin } = this;
    const name = random.pick([FANOUT, DIRECT]);
    // A publish that is read too late would find no exchange, and close its channel.
    const publishing = [this.transactor, ...this.publishers.filter((p) => !p.isRefused)];
    if (!admin.isHeard || publishing.some(({ isHeard }) => !isHeard)) return;
    if (this.model.exchange(name) !== null) admin.ask({ kind: 'delete-exchange', name });
    const type = name === FANOUT ? 'fanout' : 'direct';
    if (random.chance(0.7)) admin.ask({ kind: 'declare-exchange', name, type });
  }

  /** Publishes to a queue with a consumer that does not ack: most of it need never be written. */
  passThrough(): void {
    const { random } = this;
    const queue = this.anyQueue();
    const publisher = this.anyPublisher();
    if (queue === null || !queue.durable || !this.admin.isHeard) return;
    this.anyConsumer().consume(queue.name, queue.key, 0, true);
    for (let i = 1 + random.below(5); i > 0; i--) {
      publisher.publish(this.numbers.next++, '', queue.name, BODY_SIZE_MIN + random.below(50));
    }
  }

  /** A piece of work in a transaction, or its end. */
  transact(): void {
    const { random } = this;
    if (this.transactor.isBroken) {
      this.transactor.drop();
      this.transactor = this.newTransactor();
    }
    const { transactor } = this;
    const queue = this.anyQueue();
    if (!this.admin.isHeard) return;
    // A get that waits behind a publish which is held back may find its queue gone.
    if (queue !== null && transactor.isHeard && transactor.unackedCount < 10) {
      transactor.get(queue.name, queue.key);
    }
    for (let i = random.below(5); i >= 0; i--) {
      if (random.chance(0.5)) transactor.settle();
      else {
        const size = BODY_SIZE_MIN + random.below(this.temper.bodySizeMax);
        transactor.publish(this.numbers.next++, '', random.pick(QUEUE_NAMES), size);
      }
    }
    if (random.chance(0.5)) transactor.commit();
    else if (random.chance(0.3)) transactor.rollback();
  }

  /** The broker enters a message into some other queues, as if it were dead-lettered or came due there. */
  refer(): void {
    const { random, machine, model } = this;
    const queue = this.anyQueue();
    // It adds to the disk, so a full one holds it back like a publish.
    if (queue === null || !this.admin.isHeard || machine.holds.publishes) return;
    const targets = QUEUE_NAMES.filter(() => random.chance(0.3)).map((name) => model.queue(name));
    this.mover.refer(
      queue,
      targets.filter((target) => target !== null),
      random.chance(0.5),
    );
  }

  /** While the disk is full consumers make room, until it is not full any more or nothing is left. */
  async drain(): Promise<void> {
    const { machine } = this;
    for (let i = 0; i < 10 && machine.holds.definitions; i++) {
      for (const name of QUEUE_NAMES) {
        const queue = this.queue(name);
        const consumer = this.anyConsumer();
        if (queue === null || consumer.unackedCount > UNACKED_MAX) continue;
        for (let gets = 0; gets < 5; gets++) consumer.get(queue.name, queue.key, false);
      }
      for (let turns = 0; turns < 5; turns++) await machine.turn(20, 4);
      this.recorder.add({ type: 'turn' });
      for (const consumer of this.consumers) {
        while (consumer.unackedCount > 0) consumer.settle(true, true);
      }
    }
  }

  /** The broker writes one by itself when the log has grown enough: here the dice say when. */
  checkpoint(): void {
    const { vhost } = this.machine;
    vhost.store.checkpoint(vhost, false).catch(() => {});
  }

  /** The disk has one of its bad spells. */
  failDisk(): void {
    const { faults } = this.profile;
    if (faults !== undefined) this.machine.fs.failFor(this.random.pick(faults));
  }

  /** Nothing happens for a while: the broker keeps house. */
  async rest(): Promise<void> {
    for (let i = 0; i < 2; i++) {
      this.checkpoint();
      for (let turns = 0; turns < 20; turns++) await this.machine.turn(0, 4);
    }
    for (let turns = 0; turns < 30; turns++) await this.machine.turn(50, 4);
    this.recorder.add({ type: 'turn' });
  }

  /** A queue becomes long, and all but a message that is not acked leaves it: behind its row the file lies free. */
  async swell(): Promise<void> {
    const queue = this.anyQueue();
    if (queue === null || !queue.durable || !this.admin.isHeard) return;
    const publisher = this.anyPublisher();
    for (let i = 0; i < LONG_COUNT && this.bytes <= this.temper.bytesMax; i++) {
      if (publisher.isRefused) return;
      publisher.publish(this.numbers.next++, '', queue.name, BODY_SIZE_MIN);
      this.bytes += BODY_SIZE_MIN;
    }
    await this.rest();
    const consumer = this.anyConsumer();
    if (consumer.unackedCount > UNACKED_MAX) return;
    for (let i = 0; i < LONG_COUNT; i++) consumer.get(queue.name, queue.key, i > 0);
    await this.rest();
  }

  private declare(name: string): void {
    if (this.admin.isHeard) {
      this.admin.ask({ kind: 'declare-queue', name, durable: name.startsWith('q') });
    }
  }

  private bind(kind: 'bind' | 'unbind', exchange: string, queue: string, key: string): void {
    if (this.model.exchange(exchange) === null || this.model.queue(queue) === null) return;
    if (this.admin.isHeard) this.admin.ask({ kind, exchange, queue, key });
  }

  private anyQueue(): ModelQueue | null {
    return this.queue(this.random.pick(QUEUE_NAMES));
  }

  /** The queue of a name, unless the broker may not have heard yet that there is one, or another one. */
  private queue(name: string): ModelQueue | null {
    return this.admin.isHeardOf(name) ? this.model.queue(name) : null;
  }

  /** One whose channel is open. */
  private anyPublisher(): CrashPublisher {
    const at = this.random.below(PUBLISHERS);
    const publisher = this.publishers[at]!;
    if (!publisher.isRefused) return publisher;
    publisher.drop();
    this.publishers[at] = this.newPublisher();
    return this.publishers[at];
  }

  /** One whose channel is open. */
  private anyConsumer(): CrashConsumer {
    const at = this.random.below(CONSUMERS);
    const consumer = this.consumers[at]!;
    if (!consumer.isBroken) return consumer;
    consumer.drop();
    this.consumers[at] = this.newConsumer();
    return this.consumers[at];
  }

  private newPublisher(): CrashPublisher {
    const name = `p${++this.publisherCount}-${this.numbers.next}`;
    return new CrashPublisher(this.machine, name, this.recorder, this.random.chance(0.7));
  }

  private newTransactor(): CrashTransactor {
    const { machine, recorder, random, txNumbers } = this;
    const name = `t${txNumbers.next}-${this.numbers.next}`;
    return new CrashTransactor(machine, name, recorder, random, txNumbers);
  }

  private newConsumer(): CrashConsumer {
    return new CrashConsumer(this.machine, this.recorder, this.random);
  }
}

/** How often each kind of work is done, and what it is. */
const WORK: readonly (readonly [number, (workload: Workload) => void | Promise<void>])[] = [
  [30, (w) => w.publishSome()],
  [40, (w) => w.turn()],
  [4, (w) => w.publishLarge()],
  [10, (w) => w.consume()],
  [2, (w) => w.cancel()],
  [16, (w) => w.settle()],
  [4, (w) => w.requeue()],
  [1, (w) => w.dropConnection()],
  [2, (w) => w.purge()],
  [2, (w) => w.declareAny()],
  [1.5, (w) => w.deleteQueue()],
  [2, (w) => w.rebind()],
  [0.5, (w) => w.changeExchange()],
  [4, (w) => w.transact()],
  [2, (w) => w.passThrough()],
  [5, (w) => w.refer()],
  [2, (w) => w.drain()],
  [3, (w) => w.checkpoint()],
  [2.5, (w) => w.rest()],
  [1.5, (w) => w.swell()],
  [6, (w) => w.failDisk()],
];
const WORK_WEIGHT: number = WORK.reduce((sum, [weight]) => sum + weight, 0);
