/** Who asks much of the server in each scenario, and who stands beside. A new scenario is one more entry. */
import { startConsumer } from '../amqp/control.ts';
import { ConsumeGoal } from '../throughput/consume-goal.ts';
import { Consumer } from '../throughput/consumer.ts';
import type { FairnessStage } from './fairness-stage.ts';

/** What is in the queue of a consumer that reads nothing: more than any socket's buffers take. */
const STUCK_MESSAGES = 200_000;
const LONG_QUEUE_MESSAGES = 10_000_000;
const SHORT_QUEUES = 1000;
const ROTATION_CONSUMERS = 8;

/** Told when the load is on; gives what there is to tell besides when it ends. */
export interface ScenarioLoad {
  /** How many deliveries each of several equal consumers got; [] where there are none. */
  deliveryCounts(): readonly number[];
}

/** One scenario. */
export interface FairnessScenario {
  readonly id: string;
  readonly title: string;
  /** Clients that ask little, at full scale. */
  readonly bystanders: number;
  /** What each of them rests between two messages, in milliseconds. */
  readonly pauseMs: number;
  /** Puts the load on; `scale` multiplies what it makes wait in queues, and how many connections it has. */
  begin(stage: FairnessStage, scale: number): Promise<ScenarioLoad>;
}

const NOTHING_TO_TELL: ScenarioLoad = { deliveryCounts: () => [] };

/** At least one. */
export function scaled(count: number, scale: number): number {
  return Math.max(1, Math.round(count * scale));
}

/** All scenarios, in the order in which they run. */
export const FAIRNESS_SCENARIOS: readonly FairnessScenario[] = [
  {
    id: 'fast-publisher',
    title: 'one publisher as fast as it can, beside 100 slow clients',
    bystanders: 100,
    pauseMs: 100,
    async begin(stage) {
      await stage.load('-x', '1', '-y', '0', '-u', 'flood');
      await stage.whenFilling(await stage.connect('watcher'), 'flood');
      return NOTHING_TO_TELL;
    },
  },
  {
    id: 'fast-publishers',
    title: '100 publishers as fast as they can',
    bystanders: 20,
    pauseMs: 20,
    async begin(stage, scale) {
      await stage.load('-x', String(scaled(100, scale)), '-y', '0', '-u', 'flood');
      await stage.whenFilling(await stage.connect('watcher'), 'flood');
      return NOTHING_TO_TELL;
    },
  },
  {
    id: 'long-queue',
    title: 'a queue of 10 M is drained beside 1,000 short ones',
    bystanders: SHORT_QUEUES,
    pauseMs: 1000,
    async begin(stage, scale) {
      const count = String(scaled(LONG_QUEUE_MESSAGES, scale));
      await stage.loadToEnd('-x', '1', '-y', '0', '-u', 'long', '-C', count);
      await stage.load('-x', '0', '-y', '1', '-u', 'long');
      return NOTHING_TO_TELL;
    },
  },
  {
    id: 'full-socket',
    title: 'a consumer takes nothing more, another one of its queue does',
    bystanders: 20,
    pauseMs: 20,
    async begin(stage, scale) {
      const count = String(scaled(STUCK_MESSAGES, scale));
      await stage.loadToEnd('-x', '1', '-y', '0', '-s', '1024', '-u', 'stuck', '-C', count);
      const stuck = await stage.connect('stuck');
      new Consumer(stuck, new ConsumeGoal(0), 0);
      await startConsumer(stuck, 'stuck', true);
      stuck.stopReading();
      await stage.load('-x', '1', '-y', '1', '-s', '1024', '-u', 'stuck');
      return NOTHING_TO_TELL;
    },
  },
  {
    id: 'rotation',
    title: 'one fast publisher, eight equal consumers of its queue',
    bystanders: 20,
    pauseMs: 20,
    async begin(stage) {
      await stage.load('-x', '1', '-y', '0', '-u', 'shared');
      await stage.whenFilling(await stage.connect('watcher'), 'shared');
      const goals: ConsumeGoal[] = [];
      for (let i = 0; i < ROTATION_CONSUMERS; i++) {
        const connection = await stage.connect(`consumer ${i}`);
        const goal = new ConsumeGoal(0);
        new Consumer(connection, goal, 0);
        goals.push(goal);
        await startConsumer(connection, 'shared', true);
      }
      const before = goals.map(({ consumed }) => consumed);
      return { deliveryCounts: () => goals.map(({ consumed }, i) => consumed - before[i]!) };
    },
  },
];
