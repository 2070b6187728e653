/** A new, empty directory for a test, gone with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The part of a tap test that helpers need: something to be undone at its end. */
export interface Teardown {
  teardown(undo: () => unknown): unknown;
}

/** Makes a directory with a short path and deletes it, with all in it, when the test ends. */
export function temporaryDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
