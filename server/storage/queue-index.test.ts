/**
 * Goal: the index keeps order, counts and bytes whatever happens to its messages. Method: random verbs on the
 * index and on a plain array, compared after each; runs of up to 10,000 messages make its chunks roll.
 */
import fc from 'fast-check';
import t from 'tap';
import { QueueIndex } from './queue-index.ts';

interface ModelMessage {
  readonly sequence: number;
  readonly position: number;
  readonly size: number;
  state: 'ready' | 'unacked';
  returns: number;
}

/** A plain list of messages, and the index that must agree with it. */
class Checked {
  readonly index: QueueIndex;
  messages: ModelMessage[];
  private next: number;

  constructor() {
    this.index = new QueueIndex(1, true);
    this.messages = [];
    this.next = 1;
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      const sequence = this.next++;
      const position = sequence * 7 + 100;
      const size = sequence % 11;
      if (this.index.append(position, size) !== sequence) throw new Error('another number');
      this.messages.push({ sequence, position, size, state: 'ready', returns: 0 });
    }
  }

  take(count: number): void {
    const { index } = this;
    const ready = this.messages.filter((m) => m.state === 'ready').slice(0, count);
    for (const message of ready) {
      equal(index.peekSequence(), message.sequence, 'peeked number');
      equal(index.peekPosition(), message.position, 'peeked position');
      index.take(message.size);
      equal(index.takenSequence, message.sequence, 'taken number');
      equal(index.takenPosition, message.position, 'taken position');
      equal(index.takenRedelivered, message.returns > 0, 'redelivered');
      message.state = 'unacked';
    }
  }

  settle(isChosen: (i: number) => boolean): void {
    for (const { sequence, size } of this.unacked(isChosen)) {
      this.index.settle(sequence, size);
      this.messages = this.messages.filter((m) => m.sequence !== sequence);
    }
  }

  requeue(isChosen: (i: number) => boolean): void {
    for (const message of this.unacked(isChosen).reverse()) {
      message.state = 'ready';
      message.returns++;
      const { sequence, position, size, returns } = message;
      equal(this.index.requeue(sequence, position, size), returns, 'delivery count');
    }
  }

  purge(): void {
    const gone = this.messages.filter((m) => m.state === 'ready');
    const seen: number[] = [];
    equal(
      this.index.purgeReady((position) => seen.push(position)),
      gone.length,
      'purged',
    );
    const positions = gone.map((m) => m.position);
    equal(seen.sort((a, b) => a - b).join(), positions.join(), 'positions purged');
    this.messages = this.messages.filter((m) => m.state === 'unacked');
  }

  compare(): void {
    const { index, messages } = this;
    const ready = messages.filter((m) => m.state === 'ready');
    const unacked = messages.filter((m) => m.state === 'unacked');
    equal(index.readyCount, ready.length, 'ready');
    equal(index.unackedCount, unacked.length, 'unacked');
    equal(index.readyBytes, bytesOf(ready), 'ready bytes');
    equal(index.unackedBytes, bytesOf(unacked), 'unacked bytes');
    equal(index.peekSequence(), ready[0]?.sequence ?? 0, 'next');
    const unsettled: string[] = [];
    index.forEachUnsettled((sequence, position) => unsettled.push(`${sequence}@${position}`));
    equal(unsettled.join(), messages.map((m) => `${m.sequence}@${m.position}`).join(), 'unsettled');
    equal(numbersIn(index.unsettledRanges()), messages.map((m) => m.sequence).join(), 'ranges');
    for (const { sequence, returns } of messages.slice(0, 50)) {
      equal(index.deliveryCount(sequence), returns, 'delivery count');
    }
  }

  private unacked(isChosen: (i: number) => boolean): ModelMessage[] {
    return this.messages.filter((m) => m.state === 'unacked').filter((_m, i) => isChosen(i));
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

function bytesOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, { size }) => sum + size, 0);
}

function numbersIn(ranges: readonly number[]): string {
  const numbers: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let n = ranges[i]!; n <= ranges[i + 1]!; n++) numbers.push(n);
  }
  return numbers.join();
}

/** Chooses which of the unacked messages a verb is for: all, every n-th, or the first few. */
const choice = fc.oneof(
  fc.constant(() => true),
  fc.integer({ min: 2, max: 5 }).map((n) => (i: number) => i % n === 0),
  fc.integer({ min: 1, max: 40 }).map((n) => (i: number) => i < n),
);

function verbs(countMax: number): fc.Arbitrary<(checked: Checked) => void> {
  const count = fc.integer({ min: 1, max: countMax });
  return fc.oneof(
    { weight: 3, arbitrary: count.map((n) => (c: Checked) => c.append(n)) },
    { weight: 3, arbitrary: count.map((n) => (c: Checked) => c.take(n)) },
    { weight: 3, arbitrary: choice.map((f) => (c: Checked) => c.settle(f)) },
    { weight: 2, arbitrary: choice.map((f) => (c: Checked) => c.requeue(f)) },
    { weight: 1, arbitrary: fc.constant((c: Checked) => c.purge()) },
  );
}

function run(steps: readonly ((checked: Checked) => void)[]): void {
  const checked = new Checked();
  for (const step of steps) {
    step(checked);
    checked.compare();
  }
}

t.test('order, counts, bytes and returns are those of a plain list', async () => {
  fc.assert(fc.property(fc.array(verbs(40), { maxLength: 60 }), run), { numRuns: 400 });
});

t.test('the same holds while chunks fill, roll and go', async () => {
  const settleSome = choice.map((f) => (c: Checked): void => {
    // Settling one by one from a plain list is slow: only small choices here.
    c.settle((i) => i < 60 && f(i));
  });
  const step = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.integer({ min: 1, max: 9000 }).map((n) => (c: Checked) => c.append(n)),
    },
    {
      weight: 2,
      arbitrary: fc.integer({ min: 1, max: 9000 }).map((n) => (c: Checked) => c.take(n)),
    },
    { weight: 2, arbitrary: settleSome },
    { weight: 1, arbitrary: choice.map((f) => (c: Checked) => c.requeue(f)) },
    { weight: 1, arbitrary: fc.constant((c: Checked) => c.purge()) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 10 }), run), { numRuns: 25 });
});

t.test('many chunks are settled from either end, and the queue goes on', async (t) => {
  for (const direction of [1, -1]) {
    const index = new QueueIndex(1, true);
    for (let i = 1; i <= 30_000; i++) index.append(i, 1);
    for (let i = 1; i <= 30_000; i++) index.take(1);
    for (let i = 0; i < 30_000; i++) index.settle(direction > 0 ? i + 1 : 30_000 - i, 1);
    t.match(index, { readyCount: 0, unackedCount: 0, readyBytes: 0, unackedBytes: 0 });
    t.same(index.unsettledRanges(), []);
    t.equal(index.append(99, 1), 30_001);
    t.equal(index.peekPosition(), 99);
  }
});

t.test('settling a message twice is a programmer’s error, not a wrong count', async (t) => {
  const index = new QueueIndex(1, true);
  index.append(1, 1);
  index.append(2, 1);
  index.take(1);
  index.settle(1, 1);
  t.throws(() => index.settle(1, 1), /settled already/);
  t.throws(() => index.settle(3, 1), /settled already|not in the index/);
});

t.test('a recovered queue begins at the first message that is left', async (t) => {
  const index = new QueueIndex(1, true);
  for (const sequence of [1, 2, 3, 4]) index.restore(sequence, 10 * sequence);
  t.ok(index.discard(1));
  t.ok(index.discard(3));
  t.notOk(index.discard(3));
  t.notOk(index.discard(77));
  index.finishRecovery(50);
  t.equal(index.peekSequence(), 2);
  index.take(20);
  t.equal(index.takenPosition, 20);
  t.equal(index.peekSequence(), 4);
  t.match(index, { readyCount: 1, readyBytes: 30, unackedCount: 1 });
});

t.test('all before a message that had come back is redelivered, and no more', async (t) => {
  const index = new QueueIndex(1, true);
  for (const sequence of [1, 2, 3]) index.restore(sequence, sequence);
  index.restoreDeliveryCount(2, 4);
  index.finishRecovery(0);
  const redelivered = [1, 2, 3].map(() => {
    index.take(0);
    return index.takenRedelivered;
  });
  t.same(redelivered, [true, true, false]);
  t.equal(index.requeue(2, 2, 0), 5);
});

t.test('holes between recovered numbers cost no chunk each', async (t) => {
  const index = new QueueIndex(1, true);
  const sequences = Array.from({ length: 20_000 }, (_, i) => 1 + 3 * i);
  const before = process.memoryUsage().arrayBuffers;
  for (const sequence of sequences) index.restore(sequence, sequence);
  const bytes = process.memoryUsage().arrayBuffers - before;
  t.ok(bytes < 4_000_000, `${bytes} bytes for twenty thousand messages`);
  for (const sequence of sequences) {
    if (index.peekSequence() !== sequence) t.fail(`number ${sequence} is missing`);
    index.take(0);
  }
  t.equal(index.peekSequence(), 0);
});
