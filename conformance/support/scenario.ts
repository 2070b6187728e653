/**
 * The frame of every scenario: title, rule id, outcome, stated differences.
 *
 *     scenario('an empty queue answers get-empty [basic.get/empty]', async (t, broker) => { ... });
 *
 * A file that is not started by main.ts knows no broker and reports nothing but a skip. One that is started by
 * scenario-list.ts writes its titles down and runs nothing.
 */
import { appendFileSync } from 'node:fs';
import tap, { type Test } from 'tap';
import type { Difference, TargetName } from '../targets.ts';
import { Broker } from './broker.ts';
import { type Environment, readEnvironment, TITLES_VARIABLE } from './environment.ts';
import { appendOutcome } from './outcome.ts';
import { ruleOf } from './rule.ts';

export type ScenarioBody = (t: Test, broker: Broker) => Promise<void>;

/** A difference with the body that shows what the target does instead; null: skipped there. */
export interface StatedDifference extends Difference {
  readonly instead: ScenarioBody | null;
}

export interface ScenarioOptions {
  readonly differences?: Partial<Record<TargetName, StatedDifference>>;
  /** The scenario needs the users of users.ts. */
  readonly needsUsers?: boolean;
}

const titlesFile = process.env[TITLES_VARIABLE];
const environment: Environment | null = readEnvironment(process.env);
if (environment === null) tap.plan(0, 'no broker is named: use npm run conformance');

/**
 * Registers a scenario.
 *
 * @param title a sentence of behaviour that ends with its rule id: `... [queue.declare/passive-missing]`
 */
export function scenario(title: string, body: ScenarioBody): void;
export function scenario(title: string, options: ScenarioOptions, body: ScenarioBody): void;
export function scenario(
  title: string,
  optionsOrBody: ScenarioOptions | ScenarioBody,
  bodyOrNone?: ScenarioBody,
): void {
  const rule = ruleOf(title);
  if (titlesFile !== undefined) appendFileSync(titlesFile, `${title}\n`);
  if (environment === null) return;
  const body = typeof optionsOrBody === 'function' ? optionsOrBody : bodyOrNone;
  const options = typeof optionsOrBody === 'function' ? {} : optionsOrBody;
  if (body === undefined) throw new Error(`no body for '${title}'`);
  run(environment, { title, rule, options, body });
}

/** What `target` does instead, why it is not what we expect, and the body that shows it. */
export function differs(
  target: TargetName,
  fact: string,
  reason: string,
  instead: ScenarioBody | null,
): ScenarioOptions {
  return { differences: { [target]: { fact, reason, instead } } };
}

interface Scenario {
  readonly title: string;
  readonly rule: string;
  readonly options: ScenarioOptions;
  readonly body: ScenarioBody;
}

function run(known: Environment, { title, rule, options, body }: Scenario): void {
  const stated = options.differences?.[known.target] ?? null;
  const difference = stated === null ? null : { fact: stated.fact, reason: stated.reason };
  const record = (result: 'passed' | 'failed' | 'skipped', skipReason: string): void =>
    appendOutcome(known.outcomeFile, { rule, title, result, skipReason, difference });
  const chosen = stated === null ? body : stated.instead;
  const skipReason = skipReasonOf(known, options, chosen);
  if (chosen === null || skipReason !== '') {
    void tap.test(title, { skip: skipReason }, () => undefined);
    record('skipped', skipReason);
    return;
  }
  void tap.test(title, async (t) => {
    // Registered first, so it runs last: a teardown that fails counts against the scenario.
    t.teardown(() => record(t.passing() ? 'passed' : 'failed', ''));
    try {
      await chosen(t, new Broker(t, known));
    } catch (error) {
      throw toldByTap(error);
    }
  });
}

/** Of an error whose code is a number, as those of amqplib have it, tap would not tell the message. */
function toldByTap(error: unknown): unknown {
  const isUntold = error instanceof Error && 'code' in error && typeof error.code === 'number';
  return isUntold ? new Error(error.message, { cause: error }) : error;
}

function skipReasonOf(
  known: Environment,
  options: ScenarioOptions,
  chosen: ScenarioBody | null,
): string {
  if (chosen === null) return 'differs as stated';
  if (options.needsUsers === true && !known.hasUsers) return 'needs the users of the suite';
  return '';
}
