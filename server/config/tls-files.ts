/**
 * The certificates and keys that the settings name: read, and checked as far as that goes without a handshake, so that
 * a mistake ends the start (or is told at a reload) instead of every client's connection.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';

/** The settings that name the files. */
export type TlsSettings = Pick<
  Config,
  'tlsCertPath' | 'tlsKeyPath' | 'tlsKeyPassphrasePath' | 'tlsCaPath' | 'tlsServerNames'
>;

/** A certificate with its chain, and its key, PEM. */
export interface TlsKeyPair {
  readonly certPath: string;
  /** The certificate itself, the first in its file. */
  readonly certificate: X509Certificate;
  readonly cert: string;
  readonly key: string;
  /** Of the key; undefined when it has none. */
  readonly passphrase: string | undefined;
}

/** What the files hold. */
export interface TlsFiles {
  /** For clients that name no host, or one that has no certificate of its own. */
  readonly keyPair: TlsKeyPair;
  readonly serverNames: readonly { readonly host: string; readonly keyPair: TlsKeyPair }[];
  /** Who may sign certificates of clients, PEM; null: none was named. */
  readonly ca: string | null;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a directory, and not a file',
};

/** @throws ConfigError when a file cannot be read, or does not hold what it should */
export function readTlsFiles(settings: TlsSettings): TlsFiles {
  const { tlsCertPath, tlsKeyPath, tlsKeyPassphrasePath, tlsCaPath, tlsServerNames } = settings;
  if (tlsCertPath === null) throw new Error('without a certificate there is nothing to read');
  const passphrase =
    tlsKeyPassphrasePath === null
      ? undefined
      : readText(tlsKeyPassphrasePath, 'tls_key_passphrase_file').replace(/\r?\n$/, '');
  return {
    keyPair: readKeyPair(tlsCertPath, tlsKeyPath, passphrase),
    serverNames: tlsServerNames.map(({ host, certPath, keyPath }) => ({
      host,
      keyPair: readKeyPair(certPath, keyPath, passphrase),
    })),
    ca: tlsCaPath === null ? null : readAuthorities(tlsCaPath),
  };
}

function readKeyPair(
  certPath: string,
  keyPathOrNull: string | null,
  passphrase: string | undefined,
): TlsKeyPair {
  const keyPath = keyPathOrNull ?? certPath;
  const cert = readText(certPath, 'tls_cert');
  const certificate = parseCertificates(certPath, 'tls_cert', cert)[0]!;
  const key = readText(keyPath, 'tls_key');
  if (!certificate.checkPrivateKey(parseKey(keyPath, key, passphrase))) {
    throw new ConfigError(
      keyPath,
      'tls_key',
      `is not the key of the first certificate in ${certPath}`,
    );
  }
  return { certPath, certificate, cert, key, passphrase };
}

function readAuthorities(path: string): string {
  const ca = readText(path, 'tls_ca_cert');
  parseCertificates(path, 'tls_ca_cert', ca);
  return ca;
}

/** All certificates of a file, at least one. */
function parseCertificates(path: string, key: string, pem: string): readonly X509Certificate[] {
  const texts = pem.match(CERTIFICATE) ?? [];
  if (texts.length === 0) throw new ConfigError(path, key, 'holds no certificate in PEM');
  return texts.map((text, index) => {
    try {
      return new X509Certificate(text);
    } catch (cause) {
      throw new ConfigError(path, key, `holds a certificate that cannot be read (${index + 1})`, {
        cause,
      });
    }
  });
}

function parseKey(path: string, pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({
      key: pem,
      format: 'pem',
      ...(passphrase !== undefined && { passphrase }),
    });
  } catch (cause) {
    throw new ConfigError(path, 'tls_key', reasonOf(pem, passphrase), { cause });
  }
}

function reasonOf(pem: string, passphrase: string | undefined): string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return 'holds no private key in PEM';
  const isEncrypted = /ENCRYPTED/.test(pem);
  if (isEncrypted && passphrase === undefined)
    return "needs a passphrase: 'tls_key_passphrase_file'";
  return isEncrypted
    ? 'does not open with the passphrase'
    : 'holds a private key that cannot be read';
}

function readText(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new ConfigError(path, key, REASONS[code] ?? `cannot be read: ${String(cause)}`, {
      cause,
    });
  }
}
