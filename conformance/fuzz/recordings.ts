/** Sessions of other people's clients, as they were recorded for the tests of the codec and of the server. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a client sent, in whole frames; the protocol header comes first. */
export interface RecordedSession {
  readonly name: string;
  readonly toServer: readonly Buffer[];
}

/** From `dist/conformance/fuzz`. */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const DIRECTORIES = ['generated/tests/recordings', 'server/testing/recordings'];

/** All recordings there are, by name. */
export function readRecordings(): RecordedSession[] {
  return DIRECTORIES.map((directory) => join(ROOT, directory))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      readdirSync(directory)
        .filter((file) => file.endsWith('.json'))
        .sort()
        .map((file) => readRecording(join(directory, file))),
    );
}

function readRecording(path: string): RecordedSession {
  const { toServer } = JSON.parse(readFileSync(path, 'utf8')) as { toServer: string[] };
  return { name: path, toServer: toServer.map((hex) => Buffer.from(hex, 'hex')) };
}
