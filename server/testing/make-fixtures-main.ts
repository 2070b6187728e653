/**
 * Writes the fixtures: a data directory of this format version for each way in which a server ends, with something of
 * everything in it (sample-directory.ts). `npm run fixtures`; the old ones of this version are replaced.
 *
 * Of a large body the header alone is kept: fixture-directory.ts puts the rest back.
 */
import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { LARGE_FOLDER, LARGE_HEADER_SIZE } from '../storage/large-file-format.ts';
import { FIXTURES } from './fixture-directory.ts';
import { writeSampleDirectory } from './sample-directory.ts';

const undo: (() => unknown)[] = [];
const teardown = { teardown: (step: () => unknown) => undo.push(step) };

for (const ending of ['stopped', 'killed'] as const) {
  const directory = join(FIXTURES, ending);
  rmSync(directory, { recursive: true, force: true });
  await writeSampleDirectory(teardown, directory, ending);
  rmSync(join(directory, '.lock'), { recursive: true, force: true });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const isBody = entry.isFile() && entry.parentPath.endsWith(`/${LARGE_FOLDER}`);
    if (isBody) truncateSync(join(entry.parentPath, entry.name), LARGE_HEADER_SIZE);
  }
}
for (const step of undo.reverse()) await step();
process.exit(0);
