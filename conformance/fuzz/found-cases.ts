/** Sessions that once brought a server down, or made it say something wrong: every run plays them first. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FuzzCase, restoreCase, type StoredCase } from './fuzz-case.ts';

/** Compiled to `dist/conformance/fuzz`; the file stays with the sources. */
const FILE = join(import.meta.dirname, '..', '..', '..', 'conformance', 'fuzz', 'found.json');

export function readFoundCases(): FuzzCase[] {
  const stored = JSON.parse(readFileSync(FILE, 'utf8')) as StoredCase[]; // our own file
  return stored.map(restoreCase);
}
