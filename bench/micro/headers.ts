/** Matching the headers of a message with the bindings of a headers exchange, of which one matches. */
import { encodeFieldTable, sizeOfFieldTable, toFieldTable } from '../../generated/index.ts';
import { HeadersIndex } from '../../server/routing/headers-index.ts';
import { HeadersView } from '../../server/routing/headers-view.ts';
import type { MicroBenchmark } from './harness.ts';

const BINDINGS = 1000;

/** One message with three headers, each of another device than the one before, among 1,000 bindings. */
export const headersBenchmark: MicroBenchmark = {
  name: 'headers',
  operation: 'match',
  prepare: () => {
    const index = new HeadersIndex<object>();
    for (let i = 0; i < BINDINGS; i++) {
      index.add('', toFieldTable({ device: `device-${i}`, kind: 'temperature' }), {});
    }
    const messages = Array.from({ length: BINDINGS }, (_, i) => {
      const headers = toFieldTable({ device: `device-${i}`, id: i, kind: 'temperature' });
      const buf = Buffer.alloc(sizeOfFieldTable(headers));
      encodeFieldTable(buf, 0, headers);
      const view = new HeadersView();
      view.reset(buf, 0);
      return view;
    });
    const out = new Set<object>();
    return {
      operationsPerRound: BINDINGS,
      round: () => {
        let found = 0;
        for (let i = 0; i < BINDINGS; i++) {
          out.clear();
          index.match('', messages[i]!, out);
          found += out.size;
        }
        return found;
      },
    };
  },
};
