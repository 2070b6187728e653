/**
 * Certificates for tests: authorities of their own, and what they sign, as PEM and as files. Valid from 2000 to 2090,
 * so that no clock matters.
 */
import 'reflect-metadata'; // asked for by @peculiar/x509
import { createPrivateKey, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  type JsonNameParams,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type Teardown, temporaryDirectory } from './temporary-directory.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const NOT_BEFORE = new Date('2000-01-01T00:00:00Z');
const NOT_AFTER = new Date('2090-01-01T00:00:00Z');

cryptoProvider.set(webcrypto);

type KeyPair = Awaited<ReturnType<typeof generateKeys>>;

/** A certificate and its key, PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateOptions {
  /** One attribute a relative distinguished name; `[{ CN: ['a'] }]`, or `{ utf8String: 'a' }` for 'a' where it has quotes or `#`. */
  readonly subject: JsonNameParams;
  /** DNS names and IP addresses that it is for. */
  readonly hosts?: readonly string[];
  readonly notAfter?: Date;
  /** Whether it may sign others. */
  readonly isAuthority?: boolean;
}

/** Who signs. */
export class CertificateAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  private readonly name: JsonNameParams;
  private readonly keys: KeyPair;

  private constructor(cert: string, name: JsonNameParams, keys: KeyPair) {
    this.cert = cert;
    this.name = name;
    this.keys = keys;
  }

  /** A root of its own. */
  static async create(commonName: string): Promise<CertificateAuthority> {
    const name = [{ CN: [commonName] }];
    const keys = await generateKeys();
    const cert = await sign({ subject: name, isAuthority: true }, name, keys, keys);
    return new CertificateAuthority(cert, name, keys);
  }

  /** An authority below this one. */
  async createIntermediate(commonName: string): Promise<CertificateAuthority> {
    const name = [{ CN: [commonName] }];
    const keys = await generateKeys();
    const cert = await sign({ subject: name, isAuthority: true }, this.name, keys, this.keys);
    return new CertificateAuthority(cert, name, keys);
  }

  /** A certificate for a server or a client. */
  async issue(options: CertificateOptions): Promise<Certificate> {
    const keys = await generateKeys();
    const cert = await sign(options, this.name, keys, this.keys);
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    return { cert, key: String(key.export({ format: 'pem', type: 'pkcs8' })) };
  }
}

/** The key, encrypted. */
export function encryptKey(key: string, passphrase: string): string {
  const options = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase } as const;
  return String(createPrivateKey(key).export(options));
}

/** Writes texts to files in a directory that is gone with the test; their paths under the same names. */
export function writeFiles<K extends string>(
  t: Teardown,
  files: Readonly<Record<K, string>>,
): Readonly<Record<K, string>> {
  const directory = temporaryDirectory(t);
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(directory, `${name}.pem`);
    writeFileSync(path, String(text));
    return [name, path] as const;
  });
  return Object.fromEntries(paths) as Record<K, string>; // the same keys
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function sign(
  { subject, hosts = [], notAfter = NOT_AFTER, isAuthority = false }: CertificateOptions,
  issuer: JsonNameParams,
  keys: KeyPair,
  issuerKeys: KeyPair,
): Promise<string> {
  const extensions: Extension[] = [new BasicConstraintsExtension(isAuthority, undefined, true)];
  if (hosts.length > 0) {
    const names = hosts.map(
      (value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }) as const,
    );
    extensions.push(new SubjectAlternativeNameExtension(names));
  }
  const certificate = await X509CertificateGenerator.create({
    subject: new Name(subject),
    issuer: new Name(issuer),
    notBefore: NOT_BEFORE,
    notAfter,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuerKeys.privateKey,
    extensions,
  });
  return `${certificate.toString('pem')}\n`;
}
