import t from 'tap';
import { QueueIndex } from './queue-index.ts';
import { RouteSet } from './route-set.ts';

t.test(
  'a route set tells durable queues from all, and how far it can make a footer grow',
  async (t) => {
    const durable = [new QueueIndex(1, true), new QueueIndex(2, true)];
    const set = new RouteSet([durable[0]!, new QueueIndex(0, false), durable[1]!]);
    t.same(set.durable, durable);
    t.equal(set.references, 3);
    t.equal(set.footerSizeMax, 4 + 2 * (4 + 16));
    t.equal(new RouteSet([new QueueIndex(0, false)]).durable.length, 0);
  },
);
