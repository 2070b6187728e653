import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import { EXCHANGE_TYPES, Exchange } from './exchange.ts';
import type { Queue } from './queue.ts';
import { Route, RouteTable } from './route.ts';

const EXCHANGE = new Exchange(
  {
    name: 'x',
    type: 'direct',
    durable: false,
    autoDelete: false,
    internal: false,
    args: EMPTY_TABLE,
  },
  EXCHANGE_TYPES.get('direct')!,
);

function routeFor(envelope: Uint8Array, version = 1): Route {
  return new Route(version, new ByteArea(Buffer.from(envelope)), EXCHANGE, [], null);
}

/** The envelope somewhere inside a larger area. */
function placed(envelope: Uint8Array, at: number): ByteArea {
  return new ByteArea(
    Buffer.concat([Buffer.alloc(at, 7), Buffer.from(envelope), Buffer.alloc(3, 9)]),
  );
}

const envelopes = fc.uint8Array({ minLength: 2, maxLength: 40 });

t.test('a route matches its own envelope, wherever that lies, and no other', async (t) => {
  checkProperty(
    t,
    fc.property(envelopes, envelopes, fc.nat(20), (mine, other, at) => {
      const route = routeFor(mine);
      const isEqual = Buffer.from(mine).equals(Buffer.from(other));
      return (
        route.matches(placed(mine, at), at, mine.length) &&
        route.matches(placed(other, at), at, other.length) === isEqual &&
        !route.matches(placed(mine, at), at, mine.length - 1)
      );
    }),
  );
});

t.test('the table finds what was remembered last in a slot, for its version alone', async (t) => {
  const table = new RouteTable();
  const seen = new Map<string, Route>();
  for (let i = 0; i < 10_000; i++) {
    const envelope = Buffer.from(`\x01x\x08${String(i).padStart(8, '0')}`, 'latin1');
    const route = routeFor(envelope);
    table.remember(route, placed(envelope, 5), 5, envelope.length);
    seen.set(envelope.toString('latin1'), route);
  }
  const found: Route[] = [];
  for (const [text, route] of seen) {
    const envelope = Buffer.from(text, 'latin1');
    const hit = table.find(1, placed(envelope, 2), 2, envelope.length);
    if (hit === null) continue;
    found.push(hit);
    if (hit !== route) t.fail(`another route is found for ${text}`);
    if (table.find(2, placed(envelope, 2), 2, envelope.length) !== null) t.fail('a void route');
  }
  t.ok(found.length > 2000, `${found.length} of 4096 slots in use`);
});

t.test('two keys of one slot do not push each other out', async (t) => {
  const envelopes = Array.from({ length: 20_000 }, (_, i) =>
    Buffer.from(`\x01x\x05${i}`, 'latin1'),
  );
  const isFound = (table: RouteTable, envelope: Buffer) =>
    table.find(1, placed(envelope, 0), 0, envelope.length) !== null;
  const remember = (table: RouteTable, envelope: Buffer) =>
    table.remember(routeFor(envelope), placed(envelope, 0), 0, envelope.length);
  const [first, ...others] = envelopes;
  // The second of a pair stays beside the first, the third pushes it out.
  const rivals = others.filter((rival) => {
    const table = new RouteTable();
    remember(table, first!);
    remember(table, rival);
    remember(table, rival);
    return !isFound(table, first!);
  });
  t.ok(rivals.length >= 2, `${rivals.length}`);
  const table = new RouteTable();
  remember(table, first!);
  remember(table, rivals[0]!);
  t.ok(isFound(table, first!) && isFound(table, rivals[0]!));
  remember(table, rivals[1]!);
  t.notOk(isFound(table, first!));
  t.ok(isFound(table, rivals[0]!) && isFound(table, rivals[1]!));
});

t.test('routes to one queue alone share what the log notes of it', async (t) => {
  const index = new QueueIndex(1, true);
  const queue = { index, routeSet: null } as unknown as Queue;
  const other = { index: new QueueIndex(2, true), routeSet: null } as unknown as Queue;
  const routeTo = (...queues: Queue[]) => new Route(1, newByteArea(2), EXCHANGE, queues, null);
  t.equal(routeTo(queue).set, routeTo(queue).set);
  t.not(routeTo(queue).set, routeTo(other).set);
  t.not(routeTo(queue, other).set, routeTo(queue, other).set);
});
