/** Routes that depend on headers, as a channel remembers them, beside those that are searched anew. */
import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { EMPTY_TABLE, toFieldTable } from '../../generated/index.ts';
import { messageTo, openBroker, testActor } from '../testing/open-broker.ts';
import { bind, unbind } from './bindings.ts';
import { declareExchange } from './exchanges.ts';
import { Publisher } from './publish.ts';
import { declareQueue } from './queues.ts';

const ACTOR = testActor();
const QUEUES = ['q0', 'q1', 'q2'];

async function setUp() {
  const { vhost } = await openBroker(t);
  const shape = { durable: false, autoDelete: false };
  const exchange = (name: string, type: string, args = EMPTY_TABLE): unknown =>
    declareExchange(vhost, ACTOR, { name, type, ...shape, internal: false, args });
  for (const name of QUEUES) {
    declareQueue(vhost, ACTOR, { name, ...shape, exclusive: false, args: EMPTY_TABLE });
  }
  // Headers decide at once, behind a binding, or where they match nothing.
  exchange('rest', 'fanout');
  exchange('headers', 'headers', toFieldTable({ 'alternate-exchange': 'rest' }));
  exchange('first', 'topic');
  const from = (source: string, kind: 'queue' | 'exchange', destination: string) => ({
    source,
    kind,
    destination,
    bindingKey: source === 'first' ? 'to.#' : '',
    args: EMPTY_TABLE,
  });
  bind(vhost, ACTOR, from('first', 'exchange', 'headers'));
  bind(vhost, ACTOR, from('rest', 'queue', 'q2'));
  const bound = new Set<string>();
  const pair = (queue: string, name: string, value: unknown): string => `${queue} ${name} ${value}`;
  return {
    vhost,
    /** Binds a queue to the headers exchange by a pair, or unbinds it where it is bound. */
    toggle: (queue: string, name: string, value: number): void => {
      const request = { ...from('headers', 'queue', queue), args: toFieldTable({ [name]: value }) };
      if (bound.delete(pair(queue, name, value))) {
        unbind(vhost, ACTOR, request);
      } else {
        bound.add(pair(queue, name, value));
        bind(vhost, ACTOR, request);
      }
    },
    /** Where a message goes, by what is bound. */
    expected: (exchange: string, key: string, headers: Readonly<Record<string, unknown>>) => {
      if (exchange === 'first' && !key.startsWith('to.')) return [];
      const matched = QUEUES.filter((queue) =>
        Object.entries(headers).some(([name, value]) => bound.has(pair(queue, name, value))),
      );
      return matched.length > 0 ? matched : ['q2'];
    },
  };
}

t.test('a channel that remembers routes by headers never takes one that is not so', async (t) => {
  const { vhost, toggle, expected } = await setUp();
  // One for all scripts: it remembers from one to the next.
  const publisher = new Publisher(vhost, ACTOR);
  const long = 'x'.repeat(1000);
  const value = fc.constantFrom(1, 2);
  const publish = fc.record({
    exchange: fc.constantFrom('headers', 'headers', 'first'),
    key: fc.constantFrom('to.h', 'other'),
    headers: fc.oneof(
      fc.constant(undefined),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(value, fc.constant(long)), {
        maxKeys: 3,
      }),
    ),
    // Headers that lie elsewhere are the same.
    contentType: fc.constantFrom(undefined, 'text/plain'),
  });
  const change = fc.tuple(fc.constantFrom(...QUEUES.slice(0, 2)), fc.constantFrom('a', 'b'), value);
  const steps = fc.array(
    fc.oneof({ weight: 8, arbitrary: publish }, { weight: 1, arbitrary: change }),
    { minLength: 1, maxLength: 40 },
  );
  checkProperty(
    t,
    fc.property(steps, (script) =>
      script.every((step) => {
        if (Array.isArray(step)) {
          toggle(...step);
          return true;
        }
        const { exchange, key, headers, contentType } = step;
        const message = messageTo(exchange, key, 'body', {
          ...(headers === undefined ? {} : { headers: toFieldTable(headers) }),
          ...(contentType === undefined ? {} : { contentType }),
        });
        const route = publisher.routeOf(message);
        const reached = route.queues.map((queue) => queue.name).sort();
        return String(reached) === String(expected(exchange, key, headers ?? {}));
      }),
    ),
  );
});
