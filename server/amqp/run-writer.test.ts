/** Runs of deliveries: octet by octet what each delivery by itself would be. */
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { newByteArea } from '../base/byte-area.ts';
import { DeliveryRun } from '../broker/delivery-run.ts';
import { MemoryBlock } from '../storage/memory-block.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import { sizeOfMessage, writeMessage } from '../storage/record-format.ts';
import { MemorySocket } from '../testing/memory-socket.ts';
import { messageTo } from '../testing/open-broker.ts';
import { createDeliverPrefix, sizeOfDelivery, writeDelivery } from './delivery-writer.ts';
import { Output, SlabPool } from './output.ts';
import { RunWriter } from './run-writer.ts';

const FRAME_MAX = 256;
const BLOCK_START = 1_000_000;
const CHANNELS = [1, 300] as const;
const ENVELOPES = [
  ['', 'q'],
  ['', 'r'],
  ['exchange', 'key'],
] as const;
const PROPERTIES = [{}, { deliveryMode: 2 }, { correlationId: 'x'.repeat(200) }];

/** Messages that are alike, by envelope and properties, and by the size of their bodies. */
interface Planned {
  readonly kind: number;
  readonly size: number;
  readonly times: number;
  /** So many of another queue lie behind each. */
  readonly others: number;
}

/** A queue whose messages lie in one block, and where they lie. */
function queueOf(planned: readonly Planned[]) {
  const messages = planned.flatMap((same) => Array.from({ length: same.times }, () => same));
  const parts = messages.map(({ kind, size }, i) => {
    const [exchange, key] = ENVELOPES[kind % ENVELOPES.length]!;
    const body = String.fromCharCode(97 + (i % 26)).repeat(size);
    return messageTo(exchange, key, body, PROPERTIES[kind % PROPERTIES.length]);
  });
  const size = parts.reduce(
    (sum, part, i) => sum + sizeOfMessage(part) * (1 + messages[i]!.others),
    0,
  );
  const block = new MemoryBlock(newByteArea(size), BLOCK_START);
  const index = new QueueIndex(1, true);
  const ats: number[] = [];
  for (const [i, part] of parts.entries()) {
    ats.push(block.used);
    index.append(BLOCK_START + block.used, part.bodySize);
    for (let copy = 0; copy <= messages[i]!.others; copy++) {
      block.used = writeMessage(block.area, block.used, part, 0, 0);
    }
  }
  return { block, index, ats, sizes: parts.map(sizeOfMessage) };
}

/** An output, and what it has handed to its socket. */
function outputOf() {
  const received: Buffer[] = [];
  const socket = new MemorySocket({
    receive: (bytes) => received.push(Buffer.from(bytes)),
    closed: () => {},
  });
  const owner = { outputMarked: () => {}, outputDrained: () => {} };
  const output = new Output(socket.asTransport.socket, new SlabPool(), owner);
  return { output, received, socket };
}

const anyMessage = fc.record({
  kind: fc.oneof(fc.constant(0), fc.nat(8)),
  size: fc.oneof(fc.constant(16), fc.nat(30), fc.nat(600)),
  times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 90 })),
  others: fc.oneof(fc.constant(0), fc.nat(2)),
});

t.test('any run is written as its deliveries would be one by one', async (t) => {
  const writer = new RunWriter();
  const prefixes = CHANNELS.map((channel) => createDeliverPrefix(channel, `tag ${channel}`));
  const plan = fc.record({
    consumer: fc.nat(CHANNELS.length - 1),
    messages: fc.array(anyMessage, { minLength: 1, maxLength: 12 }),
    redeliveredUpTo: fc.nat(100),
    firstTag: fc.constantFrom(1, 2 ** 32 - 70),
    rests: fc.boolean(),
  });
  checkProperty(
    t,
    fc.property(fc.array(plan, { minLength: 1, maxLength: 4 }), (runs) =>
      runs.every(({ consumer, messages, redeliveredUpTo, firstTag, rests }) => {
        if (rests) writer.rest();
        const { block, index, ats, sizes } = queueOf(messages);
        index.redeliveredUpTo = redeliveredUpTo;
        const run = new DeliveryRun();
        run.find(index, block, ats.length, Number.POSITIVE_INFINITY);
        const prefix = prefixes[consumer]!;
        const channel = CHANNELS[consumer]!;
        const { output, received } = outputOf();
        writer.write(output, run, run.length, prefix, channel, firstTag, FRAME_MAX);
        output.flush();
        const expected = Array.from({ length: run.length }, (_, i) => {
          const at = ats[i]!;
          const out = newByteArea(sizeOfDelivery(prefix, block.area, at, FRAME_MAX));
          const isOld = i + 1 <= redeliveredUpTo;
          const tag = firstTag + i;
          writeDelivery(out, 0, prefix, channel, tag, isOld, block.area, at, FRAME_MAX);
          return out.buf;
        });
        return (
          run.delivered === Math.min(ats.length, 256) &&
          run.bytes === sizes.slice(0, 256).reduce((sum, size) => sum + size) &&
          Buffer.concat(received).equals(Buffer.concat(expected))
        );
      }),
    ),
  );
});

t.test('it ends where the peer takes no more', async (t) => {
  const { block, index } = queueOf([{ kind: 0, size: 4000, times: 200, others: 0 }]);
  const run = new DeliveryRun();
  run.find(index, block, 200, Number.POSITIVE_INFINITY);
  const { output, socket } = outputOf();
  socket.stick();
  new RunWriter().write(output, run, 200, createDeliverPrefix(1, 'c'), 1, 1, 131_072);
  t.ok(output.isBlocked);
  t.ok(run.delivered > 10 && run.delivered < 100, `${run.delivered} fill a slab`);
});

t.test('of a part all is written, whatever the peer takes', async (t) => {
  const { block, index } = queueOf([{ kind: 0, size: 4000, times: 200, others: 0 }]);
  const run = new DeliveryRun();
  run.find(index, block, 200, Number.POSITIVE_INFINITY);
  const part = run.partOf(1, 2, 100);
  const { output, socket } = outputOf();
  socket.stick();
  new RunWriter().write(output, part, 100, createDeliverPrefix(1, 'c'), 1, 1, 131_072);
  t.ok(output.isBlocked);
  t.equal(part.delivered, 100);
});

t.test(
  'a run ends before what does not lie whole in the block, and behind its bytes',
  async (t) => {
    const { block, index } = queueOf([{ kind: 0, size: 80, times: 10, others: 0 }]);
    const run = new DeliveryRun();
    run.find(index, block, 10, 250);
    t.equal(run.length, 3, 'the third is begun below 250 bytes');
    block.used -= 1;
    run.find(index, block, 10, Number.POSITIVE_INFINITY);
    t.equal(run.length, 9);
    run.find(index, block, 4, Number.POSITIVE_INFINITY);
    t.equal(run.length, 4);
  },
);

t.test('a run ends before a message that lies before the one before it', async (t) => {
  const { block, ats } = queueOf([{ kind: 0, size: 80, times: 4, others: 0 }]);
  const index = new QueueIndex(1, true);
  for (const at of [ats[1]!, ats[2]!, ats[0]!, ats[3]!]) index.append(BLOCK_START + at, 80);
  const run = new DeliveryRun();
  run.find(index, block, 4, Number.POSITIVE_INFINITY);
  t.equal(run.length, 2);
});
