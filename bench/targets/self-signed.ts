/** A certificate for localhost that signs itself, for brokers that are to speak TLS. */
import 'reflect-metadata'; // asked for by @peculiar/x509
import { createPrivateKey, webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const OWNER_ONLY = 0o600;

/** Where it is, and what clients are to trust. */
export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** PEM. */
  readonly cert: string;
}

/** Makes a certificate and its key (P-256) and writes them into `directory`. */
export async function writeCertificate(directory: string): Promise<CertificateFiles> {
  cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    notBefore: new Date('2000-01-01T00:00:00Z'),
    notAfter: new Date('2090-01-01T00:00:00Z'),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const cert = `${certificate.toString('pem')}\n`;
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  const files = { certPath: join(directory, 'cert.pem'), keyPath: join(directory, 'key.pem') };
  await writeFile(files.certPath, cert);
  await writeFile(files.keyPath, key.export({ format: 'pem', type: 'pkcs8' }), {
    mode: OWNER_ONLY,
  });
  return { ...files, cert };
}
