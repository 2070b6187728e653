/**
 * The two SASL mechanisms that carry a name and a password, as RabbitMQ reads and writes them.
 *
 *     PLAIN     NUL username NUL password              (RFC 4616, without an authorization identity)
 *     AMQPLAIN  a field table without its length, with LOGIN and PASSWORD
 *
 * Whether the name and the password are right is not decided here.
 */
import { readUtf8 } from './bytes.ts';
import {
  decodeFieldTableBody,
  encodeFieldTableBody,
  type FieldTable,
  sizeOfFieldTable,
} from './field-table.ts';

/** What a client logs in with. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const NUL = 0;

/** The credentials in a PLAIN response, or null when it has another form or is not UTF-8. */
export function parsePlain(response: Buffer): Credentials | null {
  if (response[0] !== NUL) return null;
  const separator = response.indexOf(NUL, 1);
  if (separator < 0 || response.includes(NUL, separator + 1)) return null;
  const username = readUtf8(response, 1, separator);
  const password = readUtf8(response, separator + 1, response.length);
  return username === null || password === null ? null : { username, password };
}

/**
 * The credentials in an AMQPLAIN response, or null when LOGIN or PASSWORD is missing or no text.
 *
 * @throws WireError when the response is no table.
 */
export function parseAmqplain(response: Buffer): Credentials | null {
  const table = decodeFieldTableBody(response, 0, response.length);
  const username = text(table, 'LOGIN');
  const password = text(table, 'PASSWORD');
  return username === null || password === null ? null : { username, password };
}

/** The PLAIN response for these credentials. */
export function encodePlain(username: string, password: string): Buffer {
  return Buffer.from(`\0${username}\0${password}`);
}

/** The AMQPLAIN response for these credentials. */
export function encodeAmqplain(username: string, password: string): Buffer {
  const table: FieldTable = new Map([
    ['LOGIN', { tag: 'S', value: username }],
    ['PASSWORD', { tag: 'S', value: password }],
  ]);
  const response = Buffer.allocUnsafe(sizeOfFieldTable(table) - 4);
  encodeFieldTableBody(response, 0, table);
  return response;
}

function text(table: FieldTable, key: string): string | null {
  const field = table.get(key);
  return field?.tag === 'S' && typeof field.value === 'string' ? field.value : null;
}
