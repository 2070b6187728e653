/** What a run of the suite says at its end. */
import type { Outcome } from './support/outcome.ts';
import type { TargetName } from './targets.ts';

/** A run in numbers and words. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly text: string;
}

/** @param troubles what went wrong outside of any scenario; each counts as a failure */
export function summarize(
  target: TargetName,
  outcomes: readonly Outcome[],
  troubles: readonly string[],
): Summary {
  const problems = [...troubles, ...repeatedRules(outcomes)];
  if (outcomes.length === 0) problems.push('no scenario reported an outcome');
  const failures = outcomes.filter(({ result }) => result === 'failed');
  const skips = outcomes.filter(({ result }) => result === 'skipped');
  const differences = outcomes.filter(({ difference }) => difference !== null);
  const passed = outcomes.length - failures.length - skips.length;
  const failed = failures.length + problems.length;
  const lines = [
    ...section(
      'failed',
      failures.map(({ title }) => title),
    ),
    ...section('trouble', problems),
    ...section(
      'skipped',
      skips.map(({ rule, skipReason }) => `${rule}: ${skipReason}`),
    ),
    ...section(`differences stated for ${target}`, describeDifferences(differences)),
    `${outcomes.length} scenarios against ${target}, ${differences.length} of them differ as stated, ${skips.length} skipped`,
    `${passed} passed, ${failed} failed`,
  ];
  return { passed, failed, text: lines.join('\n') };
}

function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : [`${heading} (${lines.length}):`, ...lines.map((line) => `  ${line}`)];
}

/** Scenarios that share a fact are listed under it. */
function describeDifferences(outcomes: readonly Outcome[]): string[] {
  const rulesByFact = new Map<string, string[]>();
  for (const { rule, difference } of outcomes) {
    if (difference === null) continue;
    const said = `${difference.fact} ${difference.reason}`;
    rulesByFact.set(said, [...(rulesByFact.get(said) ?? []), rule]);
  }
  return Array.from(rulesByFact, ([said, rules]) => `${rules.join(', ')}: ${said}`);
}

function repeatedRules(outcomes: readonly Outcome[]): string[] {
  const seen = new Set<string>();
  const repeated = outcomes.filter(({ rule }) => seen.size === seen.add(rule).size);
  return repeated.map(({ rule }) => `two scenarios have the rule id ${rule}`);
}
