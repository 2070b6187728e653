/** A thread of a campaign: runs the seeds that it is told. */
import { parentPort } from 'node:worker_threads';
import { type CrashRunOptions, runCrashes } from './run.ts';

parentPort?.on('message', (options: CrashRunOptions) => {
  runCrashes(options).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => {
      throw error;
    },
  );
});
