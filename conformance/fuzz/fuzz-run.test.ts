import t from 'tap';
import { readFoundCases } from './found-cases.ts';
import { runFuzz } from './fuzz-run.ts';

t.test(
  'a server bears what no client should send, and its other clients see nothing',
  async (t) => {
    const { complaints, sessions, endings, canaryBeats } = await runFuzz({
      seed: 1,
      found: readFoundCases(),
      limitMs: 20_000,
      batchesMax: 2,
    });
    const told = complaints.map(({ text, cause }) => `${text} (${cause?.seed}:${cause?.index})`);
    t.same(told, []);
    t.ok(sessions >= 250, `${sessions} sessions`);
    t.ok(canaryBeats > 0);
    for (const ending of ['close-ok', 'close 501', 'close 504']) t.ok(endings.has(ending), ending);
  },
);
