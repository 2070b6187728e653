/** What this program calls itself, on the wire, in logs and on its pages. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The product's name. */
export const productName = 'FirnMQ';

/**
 * package.json, the one place where the version is written, lies above this file, wherever that was built to; one between
 * that only says what form the files beside it have is passed over.
 */
function readVersion(): string {
  const require = createRequire(import.meta.filename);
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const path = join(directory, 'package.json');
    if (existsSync(path)) {
      const manifest: unknown = require(path);
      if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
        return String(manifest.version);
      }
    }
    if (directory === dirname(directory))
      throw new Error('there is no package.json with a version');
  }
}

/** The version, as package.json has it. */
export const productVersion: string = readVersion();
