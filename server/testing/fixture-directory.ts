/** Data directories that servers of earlier builds have left, kept in the repository: see make-fixtures-main.ts. */
import { appendFileSync, cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STORAGE_FORMAT_VERSION } from '../storage/format-version.ts';
import { LARGE_FOLDER } from '../storage/large-file-format.ts';
import { SAMPLE_LARGE_BODY, type SampleEnding } from './sample-directory.ts';
import { type Teardown, temporaryDirectory } from './temporary-directory.ts';

/** Where those of this format version lie. */
export const FIXTURES: string = fileURLToPath(
  // From dist/server/testing/.
  new URL(`../../../server/testing/fixtures/storage-${STORAGE_FORMAT_VERSION}`, import.meta.url),
);

/** A copy of a fixture, complete, for a test to start a server on. */
export function fixtureDirectory(t: Teardown, ending: SampleEnding): string {
  const directory = temporaryDirectory(t);
  cpSync(join(FIXTURES, ending), directory, { recursive: true });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const isBody = entry.isFile() && entry.parentPath.endsWith(`/${LARGE_FOLDER}`);
    if (isBody) appendFileSync(join(entry.parentPath, entry.name), SAMPLE_LARGE_BODY);
  }
  return directory;
}
