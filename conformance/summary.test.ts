import t from 'tap';
import { summarize } from './summary.ts';
import type { Outcome } from './support/outcome.ts';

function outcome(rule: string, changes: Partial<Outcome> = {}): Outcome {
  const title = `title of it [${rule}]`;
  return { rule, title, result: 'passed', skipReason: '', difference: null, ...changes };
}

t.test('passed, failed and skipped scenarios are counted apart', async (t) => {
  const summary = summarize(
    'rabbitmq',
    [
      outcome('a.a/one'),
      outcome('a.a/two', { result: 'failed' }),
      outcome('a.a/three', { result: 'skipped', skipReason: 'no users' }),
    ],
    [],
  );
  t.match(summary, { passed: 1, failed: 1 });
  t.match(summary.text, /title of it \[a\.a\/two\]/);
  t.match(summary.text, /a\.a\/three: no users/);
  t.match(summary.text, /\n1 passed, 1 failed$/);
});

t.test('scenarios that differ for one reason are listed under it and counted', async (t) => {
  const difference = { fact: 'It does that.', reason: 'We do this.' };
  const { text, passed } = summarize(
    'rabbitmq',
    [outcome('a.a/one', { difference }), outcome('a.a/two', { difference }), outcome('a.a/three')],
    [],
  );
  t.equal(passed, 3);
  t.match(
    text,
    /differences stated for rabbitmq \(1\):\n {2}a\.a\/one, a\.a\/two: It does that\. We do/,
  );
  t.match(text, /3 scenarios against rabbitmq, 2 of them differ as stated, 0 skipped/);
});

t.test('trouble outside of the scenarios and a rule id used twice are failures', async (t) => {
  const outcomes = [outcome('a.a/one'), outcome('a.a/one')];
  const { failed, text } = summarize('firnmq', outcomes, ['the server ended by itself']);
  t.equal(failed, 2);
  t.match(text, /two scenarios have the rule id a\.a\/one/);
  t.match(text, /the server ended by itself/);
});

t.test('a run without any scenario is a failure', async (t) => {
  t.equal(summarize('firnmq', [], []).failed, 1);
});
