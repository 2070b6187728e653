// Runs the compiled tests: all of them, or those whose path contains one of the arguments.
//
//     npm test
//     npm test -- server/routing
//
// Quiet when green. The last line is always `N passed, N failed`, counting tests (tap-summary.mjs).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summarizeTap } from './tap-summary.mjs';

/** A run that takes longer hangs: it is ended and counts as failed. */
const TIME_LIMIT_MS = 13 * 60 * 1000;
/** A test file that takes longer hangs; on a machine that does much else one takes ten times its usual seconds. */
const FILE_TIME_LIMIT_SECONDS = 180;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const filters = process.argv.slice(2);

/** Paths of the compiled tests; what is left over from a source that is gone is deleted. */
function compiledTests() {
  const compiled = readdirSync(join(root, 'dist'), { recursive: true })
    .filter((path) => path.endsWith('.test.js'))
    .map((path) => path.slice(0, -'.js'.length));
  const [live, stale] = [true, false].map((wanted) =>
    compiled.filter((path) => existsSync(join(root, `${path}.ts`)) === wanted),
  );
  for (const path of stale) {
    for (const extension of ['js', 'js.map', 'd.ts']) {
      rmSync(join(root, 'dist', `${path}.${extension}`), { force: true });
    }
  }
  return live.map((path) => join('dist', `${path}.js`)).sort();
}

function finish(passed, failed) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

const files = compiledTests().filter(
  (path) => filters.length === 0 || filters.some((filter) => path.includes(filter)),
);
if (files.length === 0) {
  console.log(`no test file matches ${filters.join(' ')}`);
  finish(0, 1);
} else {
  const tap = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/tap/dist/esm/run.mjs'),
      '--reporter=tap',
      '--no-color',
      `--timeout=${FILE_TIME_LIMIT_SECONDS}`,
      ...files,
    ],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    },
  );
  const { passed, failed, failures, skipped } = summarizeTap(tap.stdout);
  for (const title of skipped) console.log(`skipped: ${title}`);
  for (const failure of failures) console.log(`\nFAILED ${failure}`);
  // Tap itself may fail where no test did: it was killed, or its settings are wrong.
  const unexplained = tap.status !== 0 && failed === 0;
  if (failed > 0 || unexplained) console.log(tap.stderr);
  if (unexplained) console.log(`tap ended with ${tap.status ?? tap.signal ?? tap.error}`);
  finish(passed, unexplained ? 1 : failed);
}
