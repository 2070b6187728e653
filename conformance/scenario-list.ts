/**
 * Which scenarios there are. Titles may be put together when a file is loaded, so the files are loaded, in a process
 * of their own that knows no broker: each scenario then writes its title down and does nothing else.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TITLES_VARIABLE } from './support/environment.ts';
import { ruleOf } from './support/rule.ts';

/** Where this runs from: `dist/conformance`. */
const COMPILED = import.meta.dirname;
const ROOT = join(COMPILED, '..', '..');

/** One scenario of the suite. */
export interface ListedScenario {
  /** `queue.declare/passive-missing` */
  readonly rule: string;
  /** The sentence, with the rule id at its end. */
  readonly title: string;
}

/** Compiled scenario files whose source is still there, as paths from the root of the repository. */
export function scenarioFiles(filters: readonly string[]): string[] {
  return readdirSync(COMPILED, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.scenario.js'))
    .filter((path) => existsSync(join(ROOT, 'conformance', path.replace(/\.js$/, '.ts'))))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .map((path) => join('dist', 'conformance', path))
    .sort();
}

/**
 * The scenarios of these files, in their order.
 *
 * @throws Error with what the process said when a file cannot be loaded
 */
export function listScenarios(files: readonly string[]): ListedScenario[] {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-scenarios-'));
  try {
    const titlesFile = join(directory, 'titles');
    const urls = files.map((file) => pathToFileURL(join(ROOT, file)).href);
    const program = urls.map((url) => `await import(${JSON.stringify(url)});`).join('\n');
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { encoding: 'utf8', env: { ...process.env, [TITLES_VARIABLE]: titlesFile } },
    );
    if (status !== 0) throw new Error(`the scenarios cannot be listed: ${stderr}`);
    const titles = readFileSync(titlesFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return titles.map((title) => ({ rule: ruleOf(title), title }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
