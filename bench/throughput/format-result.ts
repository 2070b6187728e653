/** A run's figures for people. */
import type { LatencySummary } from './latency-histogram.ts';
import type { ThroughputResult } from './throughput-result.ts';
import { isVerified, type VerificationResult } from './verification.ts';

/** From here on the generator may have been what limited a rate. */
const GENERATOR_SHARE_MAX = 0.9;
const LABEL_WIDTH = 20;

/** Some lines of text: what was moved, how fast, and what it cost this process. */
export function formatResult(result: ThroughputResult): string {
  const lines: string[] = [formatLine('broker', result.broker)];
  const add = (label: string, value: string): void => {
    lines.push(formatLine(label, value));
  };
  if (result.published > 0) {
    add('published', `${result.published} in ${result.publishSeconds.toFixed(2)} s`);
    add('publish rate', `${Math.round(result.publishRate)} msg/s`);
  }
  if (result.behindSchedule > 0) add('behind schedule', `${result.behindSchedule} messages`);
  if (result.consumed > 0) {
    add('consumed', `${result.consumed} in ${result.consumeSeconds.toFixed(2)} s`);
    add('consume rate', `${Math.round(result.consumeRate)} msg/s`);
  }
  if (result.confirmLatency !== null) {
    add('confirmed', `${result.confirmed}, nacked ${result.nacked}`);
    add('confirm latency', formatLatency(result.confirmLatency));
  }
  if (result.commitLatency !== null) {
    add('committed', `${result.committed} in ${result.commitLatency.count} transactions`);
    add('commit latency', formatLatency(result.commitLatency));
  }
  if (result.latency !== null) add('latency', formatLatency(result.latency));
  if (result.verification !== null) add('verified', formatVerification(result.verification));
  add('ready in the queue', `${result.ready}`);
  add('generator CPU', formatCpu(result));
  return lines.join('\n');
}

/** A line of a summary. */
export function formatLine(label: string, value: string): string {
  return `${label.padEnd(LABEL_WIDTH)} ${value}`;
}

/** Percentiles in a line. */
export function formatLatency({ p50Ms, p90Ms, p99Ms, p999Ms, maxMs }: LatencySummary): string {
  const percentiles = [p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(3)).join(' / ');
  return `${percentiles} ms (50, 90, 99, 99.9 %, max)`;
}

function formatVerification(result: VerificationResult): string {
  const { verified, redelivered, missing, duplicates, outOfOrder, corrupt, foreign } = result;
  const remarks = [
    ...(redelivered > 0 ? [`${redelivered} redelivered`] : []),
    ...(foreign > 0 ? [`${foreign} of others passed over`] : []),
  ];
  const verdict = isVerified(result)
    ? 'each once, in order and whole'
    : `FAILED: ${missing} missing, ${duplicates} duplicates, ${outOfOrder} out of order, ${corrupt} corrupt`;
  return [`${verified} messages, ${verdict}`, ...remarks].join('; ');
}

function formatCpu(result: ThroughputResult): string {
  const { generatorCpuNsPerMessage, generatorCpuShare, generatorPacingSeconds } = result;
  const parts = [
    `${Math.round(generatorCpuNsPerMessage)} ns/msg`,
    `${(100 * generatorCpuShare).toFixed(0)} % of a core`,
  ];
  if (generatorPacingSeconds > 0) {
    const share = (100 * generatorPacingSeconds) / result.elapsedSeconds;
    parts.push(`and ${share.toFixed(0)} % waiting for messages to be due`);
  }
  const isLimit = generatorCpuShare > GENERATOR_SHARE_MAX;
  return parts.join(', ') + (isLimit ? '; the generator was the limit' : '');
}
