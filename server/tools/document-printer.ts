/** Prints the documents that people may edit, and says what a start would refuse in them. */
import { decodeUsers } from '../auth/user-document.ts';
import { isAppError } from '../base/app-error.ts';
import { decodeVhosts, folderNameOf } from '../broker/vhost-document.ts';
import { parseJsonDocument } from '../storage/json-document.ts';
import type { DumpFile } from './dump-file.ts';
import type { DumpOutput, DumpValue } from './dump-output.ts';

type Entry = Readonly<Record<string, DumpValue>>;

/** The `PrintFile` of `users.json`. Password hashes are not shown. */
export async function printUsers(file: DumpFile, out: DumpOutput): Promise<void> {
  printDocument(file, out, 'user', (content) =>
    decodeUsers(file.path, content).map(({ name, passwordHash, tags, permissions }) => ({
      name,
      has_password: passwordHash !== '',
      tags,
      permissions: Object.fromEntries(
        Array.from(permissions, ([vhost, { patterns }]) => [vhost, { ...patterns }]),
      ),
    })),
  );
}

/** The `PrintFile` of `vhosts.json`. */
export async function printVhosts(file: DumpFile, out: DumpOutput): Promise<void> {
  printDocument(file, out, 'vhost', (content) =>
    decodeVhosts(file.path, content).map((name) => ({ name, folder: folderNameOf(name) })),
  );
}

function printDocument(
  file: DumpFile,
  out: DumpOutput,
  kind: string,
  decode: (content: unknown) => readonly Entry[],
): void {
  try {
    const entries = decode(parseJsonDocument(file.path, file.readAll()));
    for (const fields of entries) out.item({ kind, offset: null, depth: 0, fields });
  } catch (error) {
    if (!isAppError(error) || error.code === 'FOREIGN_FORMAT') throw error;
    out.problem(null, 0, error.message);
  }
}
