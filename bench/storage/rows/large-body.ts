/** A body of 512 MB both ways: what the server holds of it. */
import { fileURLToPath } from 'node:url';
import { expectReady } from '../consume.ts';
import { LargeBody } from '../large-body.ts';
import { growthMb } from '../resting-memory.ts';
import type { RowRun } from '../row-run.ts';
import { RowSkipped, type StorageRow } from '../storage-row.ts';
import { timed } from '../timed.ts';

const SERVER_MAIN = fileURLToPath(new URL('../large-body-server-main.js', import.meta.url));
const BODY_BYTES = 512 * 1024 * 1024;
/** A server that held the body whole would be at four times that. */
const GROWTH_MAX_MB = 128;
const QUEUE = 'large';
const TOO_LARGE = /\b311\b|larger than|max(imum)? size/i;

/** See {@link StorageRow}. */
export const largeBodyRow: StorageRow = {
  id: 'large-body',
  title: 'a body of 512 MB published and consumed: peak of memory over before',
  diskBytes: 2e9,
  deadlineMs: 90_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const peak = run.figure(largeBodyRow.title, 'MB', {
    kind: 'at most',
    bound: GROWTH_MAX_MB,
    of: 'every sample',
  });
  const published = run.figure('the same: publish to confirm', 's', null);
  const consumed = run.figure('the same: consume to last octet', 's', null);
  const sizeBytes = run.scaled(BODY_BYTES);
  await run.repeat(async () => {
    const dataDir = run.newDirectory();
    const command = [process.execPath, SERVER_MAIN, dataDir, String(sizeBytes)];
    const server = await run.startServer(dataDir, command);
    const connection = await run.connect(server.uri);
    const body = await LargeBody.open(connection, QUEUE, sizeBytes);
    server.forgetPeak();
    const before = server.memory.rssBytes;
    const publishing = await timed(server, () => body.publish().catch(skipWhereTooLarge));
    const consuming = await timed(server, () => body.consume());
    peak.add(growthMb(before, server.peakBytes));
    published.add(publishing.seconds, publishing.cpu);
    consumed.add(consuming.seconds, consuming.cpu);
    await expectReady(connection, QUEUE, 0);
    await connection.close();
    await server.stop();
  });
}

function skipWhereTooLarge(error: unknown): never {
  if (error instanceof Error && TOO_LARGE.test(error.message)) {
    throw new RowSkipped(`the server does not take it: ${error.message}`);
  }
  throw error;
}
