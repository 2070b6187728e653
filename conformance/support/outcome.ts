/** What became of one scenario: written by the scenario's process, read by main.ts. */
import { appendFileSync, readFileSync } from 'node:fs';
import type { Difference } from '../targets.ts';

/** One line of the outcome file. */
export interface Outcome {
  /** The rule id at the end of the title, for example `queue.declare/passive-missing`. */
  readonly rule: string;
  readonly title: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped; empty otherwise. */
  readonly skipReason: string;
  /** The stated difference under which it ran against this target. */
  readonly difference: Difference | null;
}

export function appendOutcome(file: string, outcome: Outcome): void {
  appendFileSync(file, `${JSON.stringify(outcome)}\n`);
}

export function readOutcomes(file: string): Outcome[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // Our own process wrote every line through appendOutcome.
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Outcome);
}
