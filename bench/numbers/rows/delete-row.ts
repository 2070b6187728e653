/** Deleting what has many bindings must not keep others waiting. */
import { declareQueue, deleteQueue } from '../../amqp/control.ts';
import { TurnProbe } from '../../storage/turn-probe.ts';
import type { Row } from '../row.ts';
import { bindAll, declareExchange, deleteExchange } from '../topology.ts';
import { QUEUE } from './throughput-row.ts';

const BINDINGS = 100_000;
/** How many go to the broker before it is asked whether it has them. */
const BINDINGS_AT_ONCE = 5000;
const EXCHANGE = 'firnmq-bench';
/** Round trips without anything else going on. */
const IDLE_ROUND_TRIPS = 200;

/** What a second connection waits at most for an answer while the queue is deleted: a bound for the longest turn. */
export const DELETE_ROW: Row = {
  id: 'delete-bound',
  title: 'deleting a queue with 100,000 bindings',
  consumesAtOnce: false,
  measure: async (run) => {
    const atMost = (bound: number) => ({ kind: 'at most', bound, of: 'every sample' }) as const;
    const turn = run.figure('longest turn, at most', 'ms', atMost(10));
    const answer = run.figure('answered within', 's', null);
    const count = run.scaled(BINDINGS);
    run.tellCommand(`in this process: ${count} bindings to a topic exchange, then queue.delete`);
    await run.repeat(async () => {
      const control = await run.connect();
      const probing = await run.connect();
      await declareExchange(control, EXCHANGE, 'topic');
      await declareQueue(control, QUEUE, false);
      for (let from = 0; from < count; from += BINDINGS_AT_ONCE) {
        const length = Math.min(BINDINGS_AT_ONCE, count - from);
        const bindings = Array.from({ length }, (_, i) => ({
          queue: QUEUE,
          routingKey: `device.${from + i}.*`,
        }));
        await bindAll(control, EXCHANGE, bindings);
      }
      const idleMs = await TurnProbe.longestOf(probing, IDLE_ROUND_TRIPS);
      const probe = await TurnProbe.start(probing);
      const startedMs = performance.now();
      await deleteQueue(control, QUEUE);
      answer.add((performance.now() - startedMs) / 1000);
      await run.pause(run.settings.seconds * 200);
      turn.add(await probe.stop());
      turn.figure.note('without the delete', idleMs);
      await deleteExchange(control, EXCHANGE);
      await run.close(control, probing);
    });
    turn.remark(turn.figure.remarks);
  },
};
