/** Counts operations that are waited for, and takes how long each was and what they cost this process. */
import { performance } from 'node:perf_hooks';
import { LatencyHistogram, type LatencySummary } from '../throughput/latency-histogram.ts';

/** What was measured of one kind of operation. */
export interface OperationFigure {
  readonly name: string;
  readonly count: number;
  readonly seconds: number;
  /** Operations a second. */
  readonly rate: number;
  /** From before an operation to its reply; null: they were not waited for one by one. */
  readonly latency: LatencySummary | null;
  /** CPU time of this process: user and system, all threads. */
  readonly generatorCpuSeconds: number;
  /** The same as a share of one core. */
  readonly generatorCpuShare: number;
}

/** Measures from its creation to {@link figure}. */
export class OperationMeter {
  readonly name: string;
  /** Operations done so far. */
  count: number;
  private readonly latencyUs: LatencyHistogram;
  private readonly startedMs: number;
  private readonly cpuBefore: NodeJS.CpuUsage;

  constructor(name: string) {
    this.name = name;
    this.count = 0;
    this.latencyUs = new LatencyHistogram();
    this.startedMs = performance.now();
    this.cpuBefore = process.cpuUsage();
  }

  /** Does an operation and counts it. */
  async time(operation: () => Promise<unknown>): Promise<void> {
    const fromMs = performance.now();
    await operation();
    this.latencyUs.record((performance.now() - fromMs) * 1000, 1);
    this.count++;
  }

  /** The 99th percentile since the last call, in milliseconds; null: nothing was done. */
  takeLatestP99Ms(): number | null {
    return this.latencyUs.takeLatestP99Ms();
  }

  /** What has been measured by now. */
  figure(): OperationFigure {
    const seconds = (performance.now() - this.startedMs) / 1000;
    const cpu = process.cpuUsage(this.cpuBefore);
    const generatorCpuSeconds = (cpu.user + cpu.system) / 1e6;
    return {
      name: this.name,
      count: this.count,
      seconds,
      rate: this.count / seconds,
      latency: this.latencyUs.summary(),
      generatorCpuSeconds,
      generatorCpuShare: generatorCpuSeconds / seconds,
    };
  }
}
