/** Purge and delete of ten million messages: how soon they are answered, and what the others notice. */
import type { BenchConnection } from '../../amqp/bench-connection.ts';
import { deleteQueue, purgeQueue } from '../../amqp/control.ts';
import { expectReady } from '../consume.ts';
import type { Figure } from '../figure.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import type { StorageServer } from '../storage-server.ts';
import { timed } from '../timed.ts';
import { TurnProbe } from '../turn-probe.ts';

const MESSAGES = 10e6;
const QUEUE = 'doomed';
const IDLE_ROUND_TRIPS = 5000;
/**
 * The rest is freed behind the answer: the others are watched this part of the rest time longer. So long the
 * server may rest before, too, so that the turns are those of the purge.
 */
const WATCHED_SHARE_OF_REST = 0.2;
const ANSWER_GOAL = { kind: 'at most', bound: 50, of: 'every sample' } as const;
const TURN_GOAL = { kind: 'at most', bound: 10, of: 'every sample' } as const;

/** See {@link StorageRow}. */
export const purgeDeleteRow: StorageRow = {
  id: 'purge-delete',
  title: 'purge and delete of 10 M messages',
  diskBytes: 5e9,
  deadlineMs: 150_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const purge = {
    answer: run.figure('purge of 10 M messages answered', 'ms', ANSWER_GOAL),
    turn: run.figure('longest turn meanwhile', 'ms', TURN_GOAL),
    act: purgeQueue,
  };
  const remove = {
    answer: run.figure('delete of 10 M messages answered', 'ms', ANSWER_GOAL),
    turn: run.figure('longest turn meanwhile', 'ms', TURN_GOAL),
    act: deleteQueue,
  };
  const server = await run.startWatchedServer(run.newDirectory());
  const acting = await run.connect(server.uri);
  const probing = await run.connect(server.uri);
  await run.repeat(async () => {
    for (const way of [purge, remove]) {
      await publishMessages(server.uri, {
        queues: [QUEUE],
        countPerQueue: run.scaled(MESSAGES),
        bodySizeBytes: SMALL_BODY_BYTES,
      });
      await expectReady(acting, QUEUE, run.scaled(MESSAGES));
      await run.pause(run.settings.restMs * WATCHED_SHARE_OF_REST);
      const idleMs = await TurnProbe.longestOf(probing, run.scaled(IDLE_ROUND_TRIPS));
      way.turn.note('while idle', idleMs);
      await measureOnce(run, server, acting, probing, way);
    }
  });
}

interface Way {
  readonly answer: Figure;
  readonly turn: Figure;
  readonly act: (connection: BenchConnection, queue: string) => Promise<unknown>;
}

async function measureOnce(
  run: RowRun,
  server: StorageServer,
  acting: BenchConnection,
  probing: BenchConnection,
  way: Way,
): Promise<void> {
  const probe = await TurnProbe.start(probing);
  await server.longestTurn();
  const answer = await timed(server, () => way.act(acting, QUEUE));
  way.answer.add(answer.seconds * 1000);
  await run.pause(run.settings.restMs * WATCHED_SHARE_OF_REST);
  const { turnMs, pausedMs, lateMs } = await server.longestTurn();
  way.turn.add(turnMs);
  way.turn.note('pause of the machine in one', pausedMs);
  way.turn.note('a timer of 1 ms late by', lateMs);
  way.turn.note('longest round trip of somebody else', await probe.stop());
  if (way.act === purgeQueue) await expectReady(acting, QUEUE, 0);
}
