// Reads TAP 14 as node-tap prints it and keeps what a person wants to know of it.
//
// A test is what stands at the top level of a file (a `t.test(...)`, or an assertion outside of one); what
// goes on inside counts with it. A file that fails without a failing test in it (it crashed, or hung), or
// that holds no test at all, counts as one failed test.

const POINT = /^( *)(not )?ok \d+(?: - (.*))?$/;
const SUBTEST = /^( *)# Subtest: (.*)$/;
const DIRECTIVE = / # (SKIP|TODO|time=)(.*)$/;
const FILE = 0;
const TEST = 1;

/**
 * @param {string} tap the output of `tap --reporter=tap`
 * @returns {{passed: number, failed: number, failures: string[], skipped: string[]}} counts of tests, a
 *   text per failure, and the titles of what was skipped or is still to do
 */
export function summarizeTap(tap) {
  const summary = { passed: 0, failed: 0, failures: [], skipped: [] };
  const titles = [];
  /** Whether something failed at each depth since the point above it was last read. */
  const failedAt = [];
  let failedInFile = 0;
  const lines = tap.split('\n');

  for (let i = 0; i < lines.length; i++) {
    const [, subtestIndent, subtestTitle] = SUBTEST.exec(lines[i]) ?? [];
    if (subtestTitle !== undefined) titles[subtestIndent.length / 4] = unescapeTitle(subtestTitle);
    const point = POINT.exec(lines[i]);
    if (point === null) continue;

    const [, indent, not, rest = ''] = point;
    const depth = indent.length / 4;
    const [, directive, reason] = DIRECTIVE.exec(rest) ?? [];
    const isSkipped = directive === 'SKIP' || directive === 'TODO';
    const isEmptyFile = depth === FILE && isSkipped;
    const hasFailed = isEmptyFile || (not !== undefined && !isSkipped);
    titles[depth] = unescapeTitle(rest.replace(DIRECTIVE, ''));
    const name = titles.slice(0, depth + 1).join(' > ');
    const diagnosis = diagnosisBehind(lines, i, indent);
    i += diagnosis.length;

    if (isEmptyFile) summary.failures.push(`${name}\n  ${reason.trim()}`);
    else if (isSkipped) summary.skipped.push(`${name}:${reason}`);
    else if (hasFailed && !failedAt[depth + 1]) {
      summary.failures.push([name, ...readable(diagnosis, indent)].join('\n'));
    }
    failedAt[depth + 1] = false;
    failedAt[depth] ||= hasFailed;

    if (depth === FILE) {
      summary.failed += Math.max(failedInFile, hasFailed ? 1 : 0);
      failedInFile = 0;
    } else if (depth === TEST && hasFailed) failedInFile++;
    else if (depth === TEST && !isSkipped) summary.passed++;
  }
  return summary;
}

function unescapeTitle(title) {
  return title.replaceAll(/\\([#\\])/g, '$1');
}

/** The lines of the YAML block that follows the point in line `at`, with its --- and ... lines. */
function diagnosisBehind(lines, at, indent) {
  if (lines[at + 1] !== `${indent}  ---`) return [];
  const end = lines.indexOf(`${indent}  ...`, at);
  return lines.slice(at + 1, end < 0 ? undefined : end + 1);
}

const TOLD_ELSEWHERE = ['at', 'args', 'externalID', 'jobId', 'stdio', 'cwd', 'command'];

/** A diagnosis without what the failure's name and stack tell; the source only where no diff tells more. */
function readable(diagnosis, indent) {
  const lines = diagnosis.slice(1, -1).map((line) => line.slice(indent.length));
  const hasDiff = lines.some((line) => line.startsWith('  diff:'));
  let isLeftOut = false;
  return lines.filter((line) => {
    const key = /^ {2}(\w+):/.exec(line)?.[1];
    if (key !== undefined) {
      isLeftOut = TOLD_ELSEWHERE.includes(key) || (hasDiff && key === 'source');
    }
    return !isLeftOut;
  });
}
