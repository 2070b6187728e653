import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import type { Consumer } from '../broker/consumer.ts';
import { UnackedList } from './unacked-list.ts';

/** The list only passes consumers on. */
const CONSUMERS = [0, 1, 2].map((id) => ({ id }) as unknown as Consumer);

/** Everything in the list, in its order. */
function entriesOf(list: UnackedList): unknown[] {
  const entries: unknown[] = [];
  for (let entry = list.first(); entry >= 0; entry = list.next(entry)) {
    entries.push([
      list.tagAt(entry),
      list.consumerAt(entry),
      list.sequenceAt(entry),
      list.positionAt(entry),
      list.sizeAt(entry),
    ]);
  }
  return entries;
}

/** Tag, consumer, sequence number, position, size. */
type ModelEntry = readonly [number, Consumer, number, number, number];

/** The entries that make a run with the first one. */
function runIn(entries: readonly ModelEntry[], lastTag: number): readonly ModelEntry[] {
  const end = entries.findIndex(([tag, consumer, sequence, position], i) => {
    if (i === 0) return false;
    const before = entries[i - 1]!;
    return (
      tag > lastTag || consumer !== before[1] || sequence !== before[2] + 1 || position < before[3]
    );
  });
  return end < 0 ? entries : entries.slice(0, end);
}

/** How many entries its arrays have room for. */
function capacityOf(list: UnackedList): number {
  const tags: unknown = Reflect.get(list, 'tags');
  return tags instanceof Float64Array ? tags.length : Number.NaN;
}

/** Pushes so many deliveries, or removes one of those there are, or all up to it; or takes these out as a list. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('push' as const), amount: fc.nat(70), skip: fc.nat(3) }),
    fc.record({ kind: fc.constant('remove' as const), amount: fc.nat(1000), skip: fc.nat(40) }),
    fc.record({ kind: fc.constant('removeRun' as const), amount: fc.nat(1000), skip: fc.nat(40) }),
    fc.record({ kind: fc.constant('removeUpTo' as const), amount: fc.nat(1000), skip: fc.nat(0) }),
    fc.record({ kind: fc.constant('takeUpTo' as const), amount: fc.nat(1000), skip: fc.nat(3) }),
  ),
  { maxLength: 60 },
);

t.test('it holds what a map by delivery tag holds, in the order of the tags', async (t) => {
  checkProperty(
    t,
    fc.property(steps, (plan) => {
      const list = new UnackedList();
      const model = new Map<number, ModelEntry>();
      let tag = 0;
      const remove = (removed: number) => {
        list.remove(list.find(removed));
        model.delete(removed);
      };
      for (const { kind, amount, skip } of plan) {
        if (kind === 'push') {
          for (let i = 0; i < amount; i++) {
            tag += 1 + (i === 0 ? skip : 0);
            // Runs of ten for a consumer, with a message left out and a step back between them now and then.
            const consumer = CONSUMERS[Math.floor(tag / 10) % 3]!;
            const sequence = tag + Math.floor(tag / 35);
            const position = tag % 27 === 0 ? tag : tag * 3;
            list.push(tag, consumer, sequence, position, tag * 5);
            model.set(tag, [tag, consumer, sequence, position, tag * 5]);
          }
        } else if (kind === 'takeUpTo') {
          const tags = [...model.keys()];
          const lastTag = (tags[amount % Math.max(1, tags.length)] ?? 0) + skip;
          const chosen = [...model.values()].filter(([tag]) => tag <= lastTag);
          if (list.spanUpTo(lastTag) < chosen.length) return false;
          const taken = list.takeUpTo(lastTag);
          t.same(entriesOf(taken), chosen) || t.bailout();
          const consumers: Consumer[] = [];
          taken.forEachConsumer((consumer, count) => {
            if (consumers.at(-1) === consumer) throw new Error('a consumer is shown in two parts');
            for (let i = 0; i < count; i++) consumers.push(consumer);
          });
          t.same(
            consumers,
            chosen.map(([, consumer]) => consumer),
          ) || t.bailout();
          if (taken.count !== chosen.length) return false;
          for (const [removed] of chosen) model.delete(removed);
        } else if (kind === 'removeRun') {
          const tags = [...model.keys()];
          if (tags.length === 0) continue;
          const at = amount % tags.length;
          const entry = list.find(tags[at]!);
          const lastTag = tags[at]! + skip;
          const length = list.runLength(entry, lastTag);
          const run = runIn([...model.values()].slice(at), lastTag);
          t.equal(length, run.length) || t.bailout();
          for (let i = 1; i < length; i++) if (!list.follows(entry + i)) return false;
          const bytes = run.reduce((sum, [, , , , size]) => sum + size, 0);
          if (list.sizeOfRun(entry, length) !== bytes) return false;
          list.removeRun(entry, length);
          for (const [removed] of run) model.delete(removed);
        } else {
          const tags = [...model.keys()];
          const at = tags.length === 0 ? -1 : amount % tags.length;
          const chosen = kind === 'remove' ? tags.slice(at, at + 1 + skip) : tags.slice(0, at + 1);
          if (at >= 0) for (const removed of chosen) remove(removed);
        }
        if (list.count !== model.size) return false;
      }
      for (let asked = 0; asked <= tag + 1; asked++) {
        if (list.find(asked) >= 0 !== model.has(asked)) return false;
      }
      t.same(entriesOf(list), [...model.values()]) || t.bailout();
      return true;
    }),
    { numRuns: 300 },
  );
});

t.test('a tag that was acked, never given out, or is out of range is not found', async (t) => {
  const list = new UnackedList();
  t.equal(list.find(1), -1);
  list.push(5, CONSUMERS[0]!, 1, 1, 1);
  list.push(6, CONSUMERS[0]!, 2, 2, 2);
  list.remove(list.find(5));
  for (const tag of [0, 1, 4, 5, 7, 2 ** 53, Number.POSITIVE_INFINITY]) {
    t.equal(list.find(tag), -1, `${tag}`);
  }
  t.ok(list.find(6) >= 0);
});

t.test('one delivery kept for long beside millions that pass costs little memory', async (t) => {
  const list = new UnackedList();
  list.push(1, CONSUMERS[0]!, 1, 1, 1);
  for (let tag = 2; tag < 1_000_000; tag++) {
    list.push(tag, CONSUMERS[1]!, tag, tag, tag);
    if (tag > 10) list.remove(list.find(tag - 8));
  }
  t.ok(capacityOf(list) <= 64, `${capacityOf(list)} entries`);
  t.equal(list.sequenceAt(list.find(1)), 1);
});

t.test('a list that was long and is empty gives its memory back', async (t) => {
  const list = new UnackedList();
  for (let tag = 1; tag <= 100_000; tag++) list.push(tag, CONSUMERS[0]!, tag, tag, tag);
  for (let tag = 1; tag <= 100_000; tag++) list.remove(list.find(tag));
  t.ok(capacityOf(list) < 100, `${capacityOf(list)} entries`);
  list.push(100_001, CONSUMERS[0]!, 7, 8, 9);
  t.same(entriesOf(list), [[100_001, CONSUMERS[0], 7, 8, 9]]);
});

t.test('a list that was long once gives its memory back at rest, and keeps what is left', (t) => {
  const list = new UnackedList();
  for (let tag = 1; tag <= 100_000; tag++) list.push(tag, CONSUMERS[tag % 3]!, tag, 2 * tag, 3);
  t.equal(list.shrink(), 0, 'not while it is full');
  for (let tag = 2; tag <= 99_999; tag++) list.remove(list.find(tag));
  const { memoryBytes } = list;
  t.equal(list.shrink(), memoryBytes - list.memoryBytes);
  t.ok(list.memoryBytes < 1000, `${list.memoryBytes} bytes are kept`);
  t.same(entriesOf(list), [
    [1, CONSUMERS[1], 1, 2, 3],
    [100_000, CONSUMERS[1], 100_000, 200_000, 3],
  ]);
  t.equal(list.shrink(), 0);
  for (let tag = 100_001; tag <= 100_100; tag++) list.push(tag, CONSUMERS[0]!, tag, tag, 1);
  t.equal(list.count, 102);
  t.equal(list.tagAt(list.find(100_050)), 100_050);
  t.end();
});
