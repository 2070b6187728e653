/**
 * The kinds of values that settings have: from a text, and back to a text that gives the same value again. All
 * sources (file, environment, command line) read the same texts.
 *
 * Spaces around a text are not part of it: the sources have taken them off.
 */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isAddressOrNetwork } from '../base/address-list.ts';
import { parseByteSize } from './byte-size.ts';
import type { TlsVersion } from './config.ts';
import { parseDurationMs } from './duration.ts';
import { ValueError } from './value-error.ts';

/** One kind of value. */
export interface ValueType<T> {
  /**
   * @param baseDirectory what a relative path is relative to
   * @throws ValueError when the text means none
   */
  parse(text: string, baseDirectory: string): T;
  /** The text of a value; null where the value is that there is none. */
  format(value: T): string | null;
  /** What a user should know about a text that is accepted; null when there is nothing. */
  remark?(text: string): string | null;
}

/** The least and the greatest value that is allowed. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A lower one would be a mistake: the server needs more for itself. */
const MEMORY_MARK_BYTES_MIN = 2 ** 20;

const CONTROL_CHARACTER = /\p{Cc}/u;

const TRUE_WORDS: readonly string[] = ['true', 'yes', 'on', '1'];
const FALSE_WORDS: readonly string[] = ['false', 'no', 'off', '0'];

/** Any text but the empty one, without line ends and their like. */
export const textType: ValueType<string> = {
  parse(text) {
    if (text !== '' && text.trim() === text && !CONTROL_CHARACTER.test(text)) return text;
    throw new ValueError(
      'a text that is not empty, does not begin or end with a space, and has no control characters',
    );
  },
  format: (value) => value,
};

/** A text that may begin and end with spaces. */
export const passwordType: ValueType<string> = {
  parse(text) {
    if (text !== '' && !CONTROL_CHARACTER.test(text)) return text;
    throw new ValueError('a text that is not empty and has no control characters');
  },
  format: (value) => value,
};

/** A file or directory; absolute as a value. */
export const pathType: ValueType<string> = {
  parse: (text, baseDirectory) => resolve(baseDirectory, textType.parse(text, baseDirectory)),
  format: (value) => value,
};

/** A hash as `users.json` has it: 36 bytes in base64. */
export const passwordHashType: ValueType<string> = {
  parse(text) {
    if (/^[A-Za-z0-9+/]{48}$/.test(text)) return text;
    throw new ValueError('36 bytes in base64: 4 of salt, and the SHA-256 of salt and password');
  },
  format: (value) => value,
};

/** A port to listen on; 0 takes a free one. */
export const portType: ValueType<number> = integerType({ min: 0, max: 65_535 });

/** A port to listen on, or none: `off`, or -1 as in the configuration of AvalancheMQ. */
export const optionalPortType: ValueType<number | null> = {
  parse(text, baseDirectory) {
    if (text === '-1' || text.toLowerCase() === 'off') return null;
    try {
      return portType.parse(text, baseDirectory);
    } catch (error) {
      if (error instanceof ValueError) throw new ValueError('a number from 0 to 65535, or off');
      throw error;
    }
  },
  format: (value) => (value === null ? 'off' : String(value)),
};

/** Yes or no, in all their usual spellings. */
export const booleanType: ValueType<boolean> = {
  parse(text) {
    const word = text.toLowerCase();
    if (TRUE_WORDS.includes(word)) return true;
    if (FALSE_WORDS.includes(word)) return false;
    throw new ValueError('true or false (yes or no, on or off, 1 or 0)');
  },
  format: String,
};

/** Memory: a share of what there is, up to 1 (`0.4`, `40%`), or a size in bytes (`2GiB`). */
export const memoryMarkType: ValueType<number> = {
  parse(text) {
    const share = shareOf(text);
    if (share > 0 && share <= 1) return share;
    const bytes = parseByteSize(text);
    if (bytes !== null && bytes >= MEMORY_MARK_BYTES_MIN) return bytes;
    throw new ValueError('a share up to 1, as 0.4 or 40%, or a size from 1MiB on');
  },
  format: String,
};

/** The share that a text means; NaN when it means none. */
function shareOf(text: string): number {
  const [, percent] = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(text) ?? [];
  if (percent !== undefined) return Number(percent) / 100;
  return /^(0?\.\d{1,9}|1(\.0{1,9})?)$/.test(text) ? Number(text) : Number.NaN;
}

/** Addresses to listen on, with commas between them: IP addresses or host names. */
export const addressListType: ValueType<readonly string[]> = {
  parse(text) {
    const addresses = listItems(text);
    if (addresses.length > 0 && addresses.every(isAddress)) return [...new Set(addresses)];
    throw new ValueError('one or more addresses or host names, with commas between them');
  },
  format: (value) => value.join(', '),
};

function isAddress(text: string): boolean {
  // What has digits alone would be looked up as a name, and not be found.
  return isIP(text) !== 0 || (/^[\w.-]+$/.test(text) && !/^[\d.]+$/.test(text));
}

/** Who is believed about the address of a client: addresses, networks (`10.0.0.0/8`), `unix`. */
export const trustedSourcesType: ValueType<readonly string[]> = {
  parse(text) {
    const word = text.toLowerCase();
    if (TRUE_WORDS.includes(word)) return ['0.0.0.0/0', '::/0'];
    if (FALSE_WORDS.includes(word)) return [];
    const sources = listItems(text);
    if (sources.length > 0 && sources.every(isTrustedSource)) return sources;
    throw new ValueError(
      'off, or addresses and networks as 10.0.0.1, 10.0.0.0/8, fd00::/8, with commas between ' +
        'them, and unix for the Unix socket',
    );
  },
  format: (value) => (value.length === 0 ? 'off' : value.join(', ')),
  remark: (text) =>
    TRUE_WORDS.includes(text.toLowerCase())
      ? 'every client can claim any address; give the addresses of the proxies instead'
      : null,
};

function isTrustedSource(text: string): boolean {
  return text === 'unix' || isAddressOrNetwork(text);
}

/**
 * After how many seconds of silence TCP asks whether the peer is there; `off` is never. AvalancheMQ's successor
 * writes `idle:interval:count`; what Node.js lets nobody choose is accepted, with a word about it.
 */
export const keepaliveType: ValueType<number | null> = {
  parse(text) {
    if (FALSE_WORDS.includes(text.toLowerCase())) return null;
    const [, idle] = /^(\d{1,5})(?::\d{1,5}:\d{1,3})?$/.exec(text) ?? [];
    const seconds = Number(idle);
    if (seconds >= 1 && seconds <= 32_767) return seconds;
    throw new ValueError('seconds from 1 to 32767, or off');
  },
  format: (value) => (value === null ? 'off' : String(value)),
  remark: (text) =>
    text.includes(':') && !text.endsWith(':1:10')
      ? 'only the idle time can be chosen: Node.js asks 10 times, once a second'
      : null,
};

/** Permissions of a file, octal, as `660`. */
export const fileModeType: ValueType<number> = {
  parse(text) {
    if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
    throw new ValueError('three octal digits, as 660');
  },
  format: (value) => value.toString(8).padStart(3, '0'),
};

/** The oldest version of TLS that is spoken. */
export const tlsVersionType: ValueType<TlsVersion> = {
  parse(text) {
    const [, number] = /^(?:TLSv?)?(1\.[23])$/i.exec(text) ?? [];
    if (number === '1.2') return 'TLSv1.2';
    if (number === '1.3') return 'TLSv1.3';
    throw new ValueError('1.2 or 1.3');
  },
  format: (value) => value.slice('TLSv'.length),
};

/** A whole number. */
export function integerType({ min, max }: Range): ValueType<number> {
  return {
    parse(text) {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      throw new ValueError(`a number from ${min} to ${max}`);
    },
    format: String,
  };
}

/** A size in bytes, with or without a unit. */
export function byteSizeType({ min, max }: Range): ValueType<number> {
  return {
    parse(text) {
      const value = parseByteSize(text) ?? Number.NaN;
      if (value >= min && value <= max) return value;
      throw new ValueError(
        `a number of bytes from ${min} to ${max}, with or without a unit, as 50MB or 1GiB`,
      );
    },
    format: String,
  };
}

/** A time in milliseconds; a number without a unit means these, as in RabbitMQ's configuration. */
export function durationType({ min, max }: Range): ValueType<number> {
  return {
    parse(text) {
      const value = parseDurationMs(text) ?? Number.NaN;
      if (value >= min && value <= max) return value;
      throw new ValueError(`a time from ${min}ms to ${max / 1000}s, as 500ms, 10s or 1m`);
    },
    format: (value) => `${value}ms`,
  };
}

/** One of a few words, in either case. `synonyms` are further spellings. */
export function choiceType<T extends string>(
  words: readonly T[],
  synonyms: Readonly<Record<string, T>> = {},
): ValueType<T> {
  return {
    parse(text) {
      const wanted = text.toLowerCase();
      const word =
        words.find((known) => known === wanted) ??
        (Object.hasOwn(synonyms, wanted) ? synonyms[wanted] : undefined);
      if (word !== undefined) return word;
      throw new ValueError(`one of ${words.join(', ')}`);
    },
    format: (value) => value,
  };
}

/** A value that may be missing; there is no text for that. */
export function optionalType<T>(type: ValueType<T>): ValueType<T | null> {
  return { ...type, format: (value) => (value === null ? null : type.format(value)) };
}

function listItems(text: string): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.includes('') ? [] : items;
}
