/**
 * Random scripts until the time is over, in lanes side by side; the first that fails is made as small as it can be. A broker
 * that is gone ends the run.
 */
import fc from 'fast-check';
import type { Scene } from './actor.ts';
import { playScript, whyUnreachable } from './play-script.ts';
import { type Script, scripts } from './script.ts';

/** What a run is to do. */
export interface OrderPlan {
  readonly seed: number;
  readonly lanes: number;
  /** No further script begins when this is over, in milliseconds. */
  readonly limitMs: number;
  readonly scriptsMax: number;
}

/** A script that the broker did not bear. */
export interface OrderFailure {
  readonly seed: number;
  readonly path: string;
  readonly violation: string;
  readonly script: Script;
}

/** What came of it. */
export interface OrderReport {
  readonly scripts: number;
  readonly bursts: number;
  readonly failures: readonly OrderFailure[];
  /** Why no more could be played; null: the broker bore it to the end. */
  readonly brokerGone: string | null;
}

export async function runOrder(plan: OrderPlan, scene: Scene): Promise<OrderReport> {
  const lanes = Array.from({ length: plan.lanes }, (_, lane) => runLane(plan, lane, scene));
  const reports = await Promise.all(lanes);
  const sum = (of: (report: OrderReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    scripts: sum((report) => report.scripts),
    bursts: sum((report) => report.bursts),
    failures: reports.flatMap(({ failures }) => failures),
    brokerGone: reports.find(({ brokerGone }) => brokerGone !== null)?.brokerGone ?? null,
  };
}

async function runLane(
  { seed, lanes, limitMs, scriptsMax }: OrderPlan,
  lane: number,
  scene: Scene,
): Promise<OrderReport> {
  let played = 0;
  let bursts = 0;
  const laneSeed = seed + lane;
  const found: { brokerGone: string | null } = { brokerGone: null };
  const property = fc.asyncProperty(scripts, async (script) => {
    // The script that failed is not made smaller without a broker.
    if (found.brokerGone !== null) return;
    played++;
    bursts += script.length;
    const violation = await playScript(script, scene);
    if (violation === null) return;
    found.brokerGone = await whyUnreachable(scene.login);
    throw new Violation(violation);
  });
  const { counterexample, counterexamplePath, errorInstance } = await fc.check(property, {
    seed: laneSeed,
    numRuns: Math.ceil(scriptsMax / lanes),
    interruptAfterTimeLimit: limitMs,
    markInterruptAsFailure: false,
  });
  const failure: OrderFailure | null =
    counterexample === null
      ? null
      : {
          seed: laneSeed,
          path: counterexamplePath ?? '',
          violation: String(errorInstance),
          script: counterexample[0],
        };
  return {
    scripts: played,
    bursts,
    failures: failure === null ? [] : [failure],
    brokerGone: found.brokerGone,
  };
}

/** Plays one script again, as often as told: what depends on chance may need several attempts. */
export async function replayOrder(
  { seed, path }: Pick<OrderFailure, 'seed' | 'path'>,
  times: number,
  scene: Scene,
): Promise<string | null> {
  const found: { script: Script | null } = { script: null };
  await fc.check(
    fc.asyncProperty(scripts, async (script) => {
      found.script ??= script;
    }),
    { seed, path, numRuns: 1, endOnFailure: true },
  );
  if (found.script === null) throw new Error('there is no such script');
  for (let i = 0; i < times; i++) {
    const violation = await playScript(found.script, scene);
    if (violation !== null) return violation;
  }
  return null;
}

class Violation extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'Violation';
  }
}
