/** Finding the route of a publish in the vhost's table, as a channel does that alternates its keys. */
import { EMPTY_TABLE } from '../../generated/index.ts';
import { ByteArea } from '../../server/base/byte-area.ts';
import { EXCHANGE_TYPES, Exchange } from '../../server/broker/exchange.ts';
import { Route, RouteTable } from '../../server/broker/route.ts';
import type { MicroBenchmark } from './harness.ts';

const KEYS = 100;
const VERSION = 1;

/** One lookup among 100 routes. */
export const routeBenchmark: MicroBenchmark = {
  name: 'route',
  operation: 'lookup',
  prepare: () => {
    const type = EXCHANGE_TYPES.get('direct')!;
    const declaration = { name: 'x', type: 'direct', durable: true, args: EMPTY_TABLE };
    const exchange = new Exchange({ ...declaration, autoDelete: false, internal: false }, type);
    const table = new RouteTable();
    const envelopes = Array.from({ length: KEYS }, (_, i) => {
      const key = `orders.${i}`;
      return new ByteArea(Buffer.from(`\x01x${String.fromCharCode(key.length)}${key}`));
    });
    for (const envelope of envelopes) {
      const route = new Route(VERSION, envelope, exchange, [], null);
      table.remember(route, envelope, 0, envelope.buf.length);
    }
    return {
      operationsPerRound: KEYS,
      round: () => {
        let found = 0;
        for (let i = 0; i < KEYS; i++) {
          const area = envelopes[i]!;
          if (table.find(VERSION, area, 0, area.buf.length) !== null) found++;
        }
        return found;
      },
    };
  },
};
