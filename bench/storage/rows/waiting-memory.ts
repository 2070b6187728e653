/** What ten million waiting messages cost in memory, after publishing and after a restart. */
import { expectReady } from '../consume.ts';
import type { Figure } from '../figure.ts';
import type { ProcessMemory } from '../process-memory.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import { freshMemory, growthMb, pssGrowthMb, restingMemory } from '../resting-memory.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';

const MESSAGES = 10e6;
const QUEUE = 'waiting';

/** See {@link StorageRow}. */
export const waitingMemoryRow: StorageRow = {
  id: 'waiting-memory',
  title: '10 M messages waiting: memory over an empty server',
  diskBytes: 2e9,
  deadlineMs: 180_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const published = run.figure(`${waitingMemoryRow.title}, after publishing`, 'MB', {
    kind: 'at most',
    bound: 24,
    of: 'median',
  });
  const restarted = run.figure(`${waitingMemoryRow.title}, after a restart`, 'MB', {
    kind: 'at most',
    bound: 12,
    of: 'median',
  });
  const count = run.scaled(MESSAGES);
  await run.repeat(async () => {
    const dataDir = run.newDirectory();
    const first = await run.startServer(dataDir);
    const empty = await freshMemory(run, first);
    await publishMessages(first.uri, {
      queues: [QUEUE],
      countPerQueue: count,
      bodySizeBytes: SMALL_BODY_BYTES,
    });
    addGrowth(published, empty, await restingMemory(run, first));
    await first.stop();
    const second = await run.startServer(dataDir);
    addGrowth(restarted, empty, await freshMemory(run, second));
    const connection = await run.connect(second.uri);
    await expectReady(connection, QUEUE, count);
    await connection.close();
    await second.stop();
  });
}

function addGrowth(figure: Figure, empty: ProcessMemory, now: ProcessMemory): void {
  figure.add(growthMb(empty.rssBytes, now.rssBytes));
  figure.note('empty server', empty.rssBytes / 1e6);
  const pss = pssGrowthMb(empty, now);
  if (pss !== null) figure.note('by PSS', pss);
}
