/** A server on an empty directory: how soon it serves, and what it occupies then. */
import { freshMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import type { StorageRow } from '../../storage/storage-row.ts';

const BYTES_PER_MB = 1e6;

/** See {@link StorageRow}. */
export const idleRow: StorageRow = {
  id: 'idle',
  title: 'an idle server, in all',
  diskBytes: 0.1e9,
  deadlineMs: 90_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const started = run.figure('start on an empty directory to connection.open-ok', 's', {
    kind: 'at most',
    bound: 0.3,
    of: 'median',
  });
  const memory = run.figure(idleRow.title, 'MB', { kind: 'at most', bound: 60, of: 'median' });
  await run.repeat(async () => {
    const server = await run.startServer(run.newDirectory());
    started.add(server.startupMs / 1000);
    const { rssBytes, pssBytes } = await freshMemory(run, server);
    memory.add(rssBytes / BYTES_PER_MB);
    if (pssBytes !== null) memory.note('by PSS', pssBytes / BYTES_PER_MB);
    await server.stop();
  });
}
