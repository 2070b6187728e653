/** A thread of a campaign: runs the seeds that it is told. */
import { parentPort } from 'node:worker_threads';
import { campaignOptions, runCrashes } from './run.ts';

parentPort?.on('message', ({ seed, points }: { seed: number; points: number }) => {
  runCrashes(campaignOptions(seed, points)).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => {
      throw error;
    },
  );
});
