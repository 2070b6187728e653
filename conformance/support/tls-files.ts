/** The certificate with which our server is run over TLS, and how clients come to trust it. */
import { join } from 'node:path';

const DIRECTORY = join(import.meta.dirname, '..', '..', '..', 'conformance', 'support', 'tls');

/** Certificate and key for localhost and 127.0.0.1. */
export const SERVER_CERTIFICATE_PATH: string = join(DIRECTORY, 'server.pem');
/** The authority that signed it. */
export const AUTHORITY_PATH: string = join(DIRECTORY, 'ca.pem');

/** Variables by which Node.js, and programs that take OpenSSL's default, trust an authority. */
export function trustVariables(authorityPath: string): Readonly<Record<string, string>> {
  return { NODE_EXTRA_CA_CERTS: authorityPath, SSL_CERT_FILE: authorityPath };
}
