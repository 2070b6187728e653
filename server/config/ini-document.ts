/**
 * The text form of the configuration file, into sections and entries with their lines; what they mean is known to
 * ini-source.ts.
 *
 *     ; a comment, as is a line that begins with #
 *     [section]
 *     key = value            ; a comment behind a space
 *     key = " with spaces, ; and \"quotes\" "
 *
 * UTF-8, with or without a byte order mark; lines end as on any system. All that is wrong is found in one go.
 */

/** `key = value` in a section. */
export interface IniEntry {
  /** '' before the first section. */
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** From 1 on. */
  readonly line: number;
}

/** `[name]`. */
export interface IniSection {
  readonly name: string;
  readonly line: number;
}

/** A line that cannot be read. */
export interface IniProblem {
  readonly line: number;
  readonly reason: string;
}

/** What a file says. */
export interface IniDocument {
  readonly sections: readonly IniSection[];
  readonly entries: readonly IniEntry[];
  readonly problems: readonly IniProblem[];
}

const LINE_FEED = 0x0a;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Reads the bytes of a file. */
export function parseIni(bytes: Uint8Array): IniDocument {
  const sections: IniSection[] = [];
  const entries: IniEntry[] = [];
  const problems: IniProblem[] = [];
  let section = '';
  let line = 0;
  for (const text of linesOf(bytes)) {
    line++;
    const parsed = parseLine(text);
    if (parsed === null) continue;
    if (parsed.kind === 'section') {
      section = parsed.name;
      sections.push({ name: section, line });
    } else if (parsed.kind === 'entry') {
      entries.push({ section, key: parsed.key, value: parsed.value, line });
    } else {
      problems.push({ line, reason: parsed.reason });
    }
  }
  return { sections, entries, problems };
}

/** A value as it must stand in a file to be read as that text again. */
export function formatIniValue(value: string): string {
  const isPlain = value !== '' && value.trim() === value && !/^"|(^|\s)[;#]/.test(value);
  return isPlain ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** The lines, decoded; null for one that is not UTF-8. */
function* linesOf(bytes: Uint8Array): Generator<string | null> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let start = 0;
  while (start < bytes.length) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    let text: string | null;
    try {
      // The decoder takes a byte order mark off.
      text = decoder.decode(bytes.subarray(start, end));
    } catch {
      text = null;
    }
    // Lines that end with a carriage return alone are many lines here.
    if (text === null) yield null;
    else yield* text.replace(/\r$/, '').split('\r');
    start = end + 1;
  }
}

type Line =
  | { readonly kind: 'section'; readonly name: string }
  | { readonly kind: 'entry'; readonly key: string; readonly value: string }
  | { readonly kind: 'problem'; readonly reason: string };

function parseLine(line: string | null): Line | null {
  if (line === null) return problem('is not UTF-8');
  const text = line.trim();
  if (isCommentOrNothing(text)) return null;
  if (CONTROL_CHARACTER.test(text.replaceAll('\t', ' '))) return problem('has a control character');
  return text.startsWith('[') ? parseSection(text) : parseEntry(text);
}

function parseSection(text: string): Line {
  const end = text.indexOf(']');
  const name = text.slice(1, end).trim();
  if (end === -1) return problem("has no ']'");
  if (!isCommentOrNothing(text.slice(end + 1).trim()))
    return problem("has something behind the ']'");
  return { kind: 'section', name };
}

function parseEntry(text: string): Line {
  const equals = text.indexOf('=');
  const key = text.slice(0, equals).trim();
  if (equals === -1) return problem("is neither 'key = value' nor '[section]'");
  if (key === '') return problem("has no key before the '='");
  const value = parseValue(text.slice(equals + 1).trim());
  return value === null
    ? problem(`needs a '"' at the end of the value of '${key}', and nothing but a comment behind`)
    : { kind: 'entry', key, value };
}

/** The value without quotes and comment; null when its quotes are wrong. */
function parseValue(text: string): string | null {
  if (!text.startsWith('"')) return text.replace(/(^|\s)[;#].*$/, '').trimEnd();
  const [quoted, inner = ''] = /^"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  if (quoted === undefined || !isCommentOrNothing(text.slice(quoted.length).trim())) return null;
  return inner.replace(/\\(["\\])/g, '$1');
}

function isCommentOrNothing(text: string): boolean {
  return text === '' || text.startsWith(';') || text.startsWith('#');
}

function problem(reason: string): Line {
  return { kind: 'problem', reason };
}
