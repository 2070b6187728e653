/** What this program calls itself, on the wire, in logs and on its pages. */
import { createRequire } from 'node:module';

/** The product's name. */
export const productName = 'FirnMQ';

function readVersion(): string {
  // From dist/server/config/; package.json is the one place where the version is written.
  const manifest: unknown = createRequire(import.meta.url)('../../../package.json');
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    return String(manifest.version);
  }
  throw new Error('package.json has no version');
}

/** The version, as package.json has it. */
export const productVersion: string = readVersion();
