/** A run's figures for people. */
import type { ThroughputResult } from './throughput.ts';

/** Some lines of text: what was moved, how fast, and what it cost this process. */
export function formatResult(result: ThroughputResult): string {
  const lines = [`broker               ${result.broker}`];
  if (result.published > 0) {
    lines.push(
      `published            ${result.published} in ${result.publishSeconds.toFixed(2)} s`,
      `publish rate         ${Math.round(result.publishRate)} msg/s`,
    );
  }
  if (result.consumed > 0) {
    lines.push(
      `consumed             ${result.consumed} in ${result.consumeSeconds.toFixed(2)} s`,
      `consume rate         ${Math.round(result.consumeRate)} msg/s`,
    );
  }
  if (result.confirmLatency !== null) {
    const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = result.confirmLatency;
    const percentiles = [p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(2)).join(' / ');
    lines.push(
      `confirmed            ${result.confirmed}, nacked ${result.nacked}`,
      `confirm latency      ${percentiles} ms (50, 90, 99, 99.9 %, max)`,
    );
  }
  lines.push(
    `ready in the queue   ${result.ready}`,
    `generator CPU        ${Math.round(result.generatorCpuNsPerMessage)} ns/msg, ${(100 * result.generatorCpuShare).toFixed(0)} % of a core`,
  );
  return lines.join('\n');
}
