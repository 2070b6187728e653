/** A certificate for localhost that signs itself, for brokers that are to speak TLS: made by `openssl`. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REQUEST = [
  ...['req', '-x509', '-nodes', '-days', '3650', '-subj', '/CN=localhost'],
  ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
];

/** Where it is, and what clients are to trust. */
export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** PEM. */
  readonly cert: string;
}

/**
 * Makes a certificate and its key (P-256) in `directory`.
 *
 * @throws Error when openssl is not there, or refuses.
 */
export async function writeCertificate(directory: string): Promise<CertificateFiles> {
  const files = { certPath: join(directory, 'cert.pem'), keyPath: join(directory, 'key.pem') };
  await run('openssl', [...REQUEST, '-keyout', files.keyPath, '-out', files.certPath]);
  return { ...files, cert: await readFile(files.certPath, 'utf8') };
}
