/** `firnmqperf throughput`: publish and consume, and say how fast that was. */
import type { Command } from 'commander';
import { type LiveProgress, LiveReport } from '../live-report.ts';
import { onInterrupt } from '../on-interrupt.ts';
import { formatResult } from './format-result.ts';
import { runThroughput } from './throughput.ts';
import {
  addThroughputFlags,
  type ThroughputFlags,
  toThroughputOptions,
} from './throughput-flags.ts';
import type { ThroughputOptions } from './throughput-options.ts';
import { isVerified } from './verification.ts';
import type { ThroughputProgress } from './watch-progress.ts';

/** Adds the command to `program`. */
export function addThroughputCommand(program: Command): void {
  const command = program
    .command('throughput')
    .description('publish and consume as fast as the broker goes, and say how fast that was');
  addThroughputFlags(command).action(runCommand);
}

async function runCommand(flags: ThroughputFlags): Promise<void> {
  const options = toThroughputOptions(flags);
  const isSilent = flags.quiet === true || flags.json === true;
  const report = new LiveReport(isSilent ? null : process.stdout);
  let before: ThroughputProgress = { published: 0, consumed: 0, confirmed: 0, elapsedMs: 0 };
  await onInterrupt(async (signal) => {
    const result = await runThroughput(options, {
      signal,
      onProgress: (progress, latestP99Ms) => {
        report.show(
          formatSecond(before, progress, latestP99Ms, options),
          howFar(progress, options),
        );
        before = progress;
      },
    });
    report.end();
    console.log(flags.json === true ? JSON.stringify(result) : formatResult(result));
    if (result.verification !== null && !isVerified(result.verification)) process.exitCode = 1;
  });
}

/** What the time between two looks brought, at which rate. */
function formatSecond(
  before: ThroughputProgress,
  now: ThroughputProgress,
  latestP99Ms: number | null,
  { producers, consumers, confirmWindow }: ThroughputOptions,
): string {
  const seconds = (now.elapsedMs - before.elapsedMs) / 1000;
  const rate = (key: 'published' | 'consumed' | 'confirmed'): string =>
    `${key} ${Math.round((now[key] - before[key]) / seconds)}/s`;
  const parts = [
    ...(producers > 0 ? [rate('published')] : []),
    ...(confirmWindow > 0 ? [rate('confirmed')] : []),
    ...(consumers > 0 ? [rate('consumed')] : []),
    ...(latestP99Ms === null ? [] : [`99 % within ${latestP99Ms.toFixed(3)} ms`]),
  ];
  return parts.join(', ');
}

/** Towards the limit that will end the run. */
function howFar(
  { published, consumed, elapsedMs }: ThroughputProgress,
  { publishCountMax, consumeCountMax, durationMs }: ThroughputOptions,
): LiveProgress {
  const seconds = Math.round(elapsedMs / 1000);
  if (durationMs > 0) {
    return { share: elapsedMs / durationMs, text: `${seconds} of ${durationMs / 1000} s` };
  }
  const [done, max] =
    consumeCountMax > 0 ? [consumed, consumeCountMax] : [published, publishCountMax];
  if (max === 0) return { share: null, text: `${seconds} s, ends with Ctrl-C` };
  return { share: done / max, text: `${done} of ${max} messages` };
}
