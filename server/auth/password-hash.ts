/**
 * Password hashes in RabbitMQ's default form, so that both brokers can read each other's users.
 *
 *     base64( salt (4 bytes) | SHA-256( salt | password in UTF-8 ) (32 bytes) )
 *
 * Source: RabbitMQ docs, "Credentials and Passwords". One hash takes a microsecond, hence in line.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** RabbitMQ's name of the algorithm, as definitions carry it. */
export const passwordHashingAlgorithm = 'rabbit_password_hashing_sha256';

const SALT_BYTES = 4;
const HASH_BYTES = SALT_BYTES + 32;

function digest(salt: Buffer, password: string): Buffer {
  return createHash('sha256').update(salt).update(password, 'utf8').digest();
}

/** Hashes a password under a salt of 4 bytes, by default a random one. */
export function hashPassword(password: string, salt: Buffer = randomBytes(SALT_BYTES)): string {
  return Buffer.concat([salt, digest(salt, password)]).toString('base64');
}

/** Whether a text has the form of a hash: 36 bytes in base64. */
export function isPasswordHash(text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === HASH_BYTES && bytes.toString('base64') === text;
}

/** Whether a password is the one of a hash; takes the same time however much of it is right. */
export function verifyPassword(password: string, hash: string): boolean {
  const bytes = Buffer.from(hash, 'base64');
  if (bytes.length !== HASH_BYTES) return false;
  return timingSafeEqual(
    digest(bytes.subarray(0, SALT_BYTES), password),
    bytes.subarray(SALT_BYTES),
  );
}
