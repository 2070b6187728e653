/** What lies in a directory, so that a test can show that nothing in it was touched. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every file below `directory` with the hash of its bytes, by relative path; folders end with a slash. */
export function contentOf(directory: string): Readonly<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    if (entry.isDirectory()) content[`${name}/`] = '';
    else if (entry.isFile()) {
      content[name] = createHash('sha1').update(readFileSync(path)).digest('hex');
    }
  }
  return content;
}

/** The paths of all files below `directory`, relative to it, sorted. */
export function filesIn(directory: string): readonly string[] {
  return Object.keys(contentOf(directory))
    .filter((name) => !name.endsWith('/'))
    .sort();
}
