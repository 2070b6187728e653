/**
 * The folder of generated files: writing it, and comparing it with what it should hold.
 *
 * The `.ts` files directly in it belong to the generator; one that is not generated any more is removed.
 * Everything else there (tsconfig.json, folders such as tests/) is left alone.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the folder hold exactly these files; files that are as they should be are not touched. */
export function writeDirectory(directory: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(directory, { recursive: true });
  for (const name of listOwned(directory)) {
    if (!files.has(name)) rmSync(join(directory, name));
  }
  for (const [name, text] of files) {
    const path = join(directory, name);
    if (readIfThere(path) !== text) writeFileSync(path, text);
  }
}

/** What is not as it should be, one sentence per file; empty when there is no drift. */
export function findDrift(
  directory: string,
  files: ReadonlyMap<string, string>,
): readonly string[] {
  const drift: string[] = [];
  for (const [name, text] of files) {
    const actual = readIfThere(join(directory, name));
    if (actual === null) drift.push(`${name} is missing`);
    else if (actual !== text)
      drift.push(`${name} differs from line ${firstDifference(actual, text)}`);
  }
  for (const name of listOwned(directory)) {
    if (!files.has(name)) drift.push(`${name} is not generated from this spec`);
  }
  return drift;
}

function listOwned(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function firstDifference(actual: string, expected: string): number {
  const lines = expected.split('\n');
  return actual.split('\n').findIndex((line, index) => line !== lines[index]) + 1;
}
