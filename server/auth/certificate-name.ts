/**
 * The user name that a client's certificate stands for, in RabbitMQ's forms.
 *
 * - `distinguished_name`: the subject by RFC 4514, the last part first, as in `CN=device-7,OU=Fleet,O=Example`;
 *   octets that are not printable ASCII as `\C3`.
 * - `common_name`: the CN of the subject; several of them with commas between.
 *
 * Source: RabbitMQ docs, "TLS Support" and the README of rabbitmq_auth_mechanism_ssl; the names of attributes as
 * RabbitMQ 3.10 prints them.
 */
import type { CertificateLogin } from '../config/config.ts';

/** RabbitMQ's names of attributes, where OpenSSL has others; those without a name go by their number. */
const RABBITMQ_NAMES: Readonly<Record<string, string>> = {
  GN: 'GIVENNAME',
  initials: 'INITIALS',
  generationQualifier: 'GENERATIONQUALIFIER',
  title: 'TITLE',
  serialNumber: 'SERIALNUMBER',
  pseudonym: 'PSEUDONYM',
  emailAddress: 'EMAILADDRESS',
  street: '2.5.4.9',
  businessCategory: '2.5.4.15',
  postalCode: '2.5.4.17',
  name: '2.5.4.41',
  dnQualifier: '2.5.4.46',
  organizationIdentifier: '2.5.4.97',
};

/** One attribute of a subject; its value with the escapes of RFC 4514. */
interface Attribute {
  readonly type: string;
  readonly value: string;
}

/**
 * The user name in a certificate's subject.
 *
 * @param subject as `X509Certificate.subject` has it: one relative distinguished name a line, ` + ` between the
 *   attributes of one, values escaped by RFC 2253 but for what is not ASCII
 * @returns null when the subject has no such part
 */
export function certificateUserName(subject: string, from: CertificateLogin): string | null {
  const parts = subject.split('\n').filter((line) => line !== '');
  const names = parts.map((line) => splitUnescaped(line).map(parseAttribute));
  const name = from === 'common_name' ? commonName(names.flat()) : distinguishedName(names);
  return name === '' ? null : name;
}

function commonName(attributes: readonly Attribute[]): string {
  const values = attributes
    .filter(({ type }) => type === 'CN')
    .map(({ value }) => unescapeValue(value));
  return values.join(',');
}

function distinguishedName(names: readonly (readonly Attribute[])[]): string {
  return names
    .map((attributes) => attributes.map(format).join('+'))
    .reverse()
    .join(',');
}

function format({ type, value }: Attribute): string {
  return `${RABBITMQ_NAMES[type] ?? type}=${value.replace(/[^ -}]/gu, escapeOctets)}`;
}

function escapeOctets(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '\\$&');
}

/** The attributes of a line: a plus sign in a value has a backslash before it. */
function splitUnescaped(line: string): readonly string[] {
  return (
    line.match(/(?:\\.|[^\\+])+/g)?.map((part, i, all) => trimSeparator(part, i, all.length)) ?? []
  );
}

/** Takes away the spaces of ` + `; those of a value have a backslash where they begin or end it. */
function trimSeparator(part: string, index: number, count: number): string {
  const start = index > 0 && part.startsWith(' ') ? 1 : 0;
  const end = index < count - 1 && part.endsWith(' ') ? part.length - 1 : part.length;
  return part.slice(start, end);
}

function parseAttribute(text: string): Attribute {
  const at = text.indexOf('=');
  return { type: text.slice(0, at), value: text.slice(at + 1) };
}

/** Undoes the escapes: `\` and two hexadecimal digits for an octet, `\` and a character for itself. */
function unescapeValue(value: string): string {
  return value.replace(/((?:\\[0-9A-F]{2})+)|\\(.)/gs, (_, octets?: string, character?: string) =>
    octets === undefined
      ? (character ?? '')
      : Buffer.from(octets.replaceAll('\\', ''), 'hex').toString(),
  );
}
