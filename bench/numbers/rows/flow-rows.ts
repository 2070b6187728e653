/** Rows of producers and consumers on one durable queue. */
import type { ThroughputResult } from '../../throughput/throughput.ts';
import type { Row } from '../row.ts';
import { atLeast, atMost, type ThroughputFigure, throughputRow } from './throughput-row.ts';

const KIB = 1024;
/** A sustained row runs for a minute where an ordinary one takes five seconds. */
const SUSTAINED_LENGTH_FACTOR = 12;
/**
 * Of a run twice as long as others. The generator is a new process for each: while its code is compiled it measures itself;
 * and a server whose threads share a core stands still for 5 ms at a time while V8 compiles it.
 */
const CONFIRM_WARM_UP_SHARE = 0.5;
const CONFIRM_LENGTH_FACTOR = 2;

/** The row that others are compared with. */
export const ONE_TO_ONE = 'one-to-one';

/** Messages that came out, a second. */
export function messagesOut(bound: number): ThroughputFigure {
  return {
    what: 'out',
    unit: 'msg/s',
    value: (result) => result.consumeRate,
    goal: atLeast(bound),
  };
}

function bytesOut(bodyBytes: number): Omit<ThroughputFigure, 'goal'> {
  return {
    what: 'out',
    unit: 'GB/s',
    value: (result) => (result.consumeRate * bodyBytes) / 1e9,
  };
}

function confirmRow(id: string, connections: number, bound: number): Row {
  const whose = connections === 1 ? '1 connection' : `${connections} connections`;
  return throughputRow({
    id,
    title: `confirms, persistent, window 1,000, ${whose}`,
    flags: ['-x', String(connections), '-y', '0', '-s', '16', '-p', '-c', '1000'],
    consumesAtOnce: false,
    lengthFactor: CONFIRM_LENGTH_FACTOR,
    warmUpShare: CONFIRM_WARM_UP_SHARE,
    figures: [
      {
        what: 'confirmed',
        unit: 'msg/s',
        value: (result) => result.publishRate,
        goal: atLeast(bound),
      },
      {
        what: '99 % of confirms within',
        unit: 'ms',
        value: (result: ThroughputResult) => result.confirmLatency?.p99Ms ?? null,
        goal: atMost(3),
      },
    ],
  });
}

/** In the order in which they run. */
export const FLOW_ROWS: readonly Row[] = [
  throughputRow({
    id: ONE_TO_ONE,
    title: '1 producer to 1 consumer, auto-ack, sustained',
    flags: ['-x', '1', '-y', '1', '-s', '16'],
    consumesAtOnce: true,
    timesTheLast: 10,
    lengthFactor: SUSTAINED_LENGTH_FACTOR,
    figures: [messagesOut(4e6)],
  }),
  throughputRow({
    id: 'ack-each',
    title: '1 to 1, prefetch 1,000, ack each',
    flags: ['-x', '1', '-y', '1', '-s', '16', '-P', '1000', '-a', '1'],
    consumesAtOnce: true,
    figures: [messagesOut(1.5e6)],
  }),
  throughputRow({
    id: 'ack-100',
    title: '1 to 1, prefetch 1,000, ack every 100',
    flags: ['-x', '1', '-y', '1', '-s', '16', '-P', '1000', '-a', '100'],
    consumesAtOnce: true,
    figures: [messagesOut(2.5e6)],
  }),
  confirmRow('confirm', 1, 0.8e6),
  confirmRow('confirm-10', 10, 1.2e6),
  throughputRow({
    id: 'one-to-one-1k',
    title: '1 to 1, auto-ack, 1 KiB',
    flags: ['-x', '1', '-y', '1', '-s', String(KIB)],
    consumesAtOnce: true,
    figures: [{ ...bytesOut(KIB), goal: atLeast(1.1) }],
  }),
  throughputRow({
    id: 'one-to-one-64k',
    title: '1 to 1, auto-ack, 64 KiB',
    flags: ['-x', '1', '-y', '1', '-s', String(64 * KIB)],
    consumesAtOnce: true,
    figures: [
      {
        ...bytesOut(64 * KIB),
        goal: (run) => ({
          kind: 'at least',
          bound: run.startOptions.writesConsumed ? 1.4 : 2.4,
          of: 'median',
        }),
      },
    ],
  }),
  throughputRow({
    id: 'tls-1k',
    title: '1 to 1, auto-ack, 1 KiB, TLS both ways',
    flags: ['-x', '1', '-y', '1', '-s', String(KIB)],
    consumesAtOnce: true,
    needsTls: true,
    figures: [{ ...bytesOut(KIB), goal: atLeast(0.4) }],
  }),
  throughputRow({
    id: 'four-to-four',
    title: '4 producers and 4 consumers on one queue, auto-ack',
    flags: ['-x', '4', '-y', '4', '-s', '16'],
    consumesAtOnce: true,
    figures: [messagesOut(3e6)],
  }),
];
