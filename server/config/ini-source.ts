/** The settings of a configuration file. */
import { dirname, resolve } from 'node:path';
import type { TlsServerName } from './config.ts';
import { type IniDocument, type IniEntry, parseIni } from './ini-document.ts';
import {
  unsupportedSections,
  unsupportedServerNameKeys,
  unsupportedSettings,
} from './known-settings.ts';
import type { GivenSetting, SettingSource } from './setting-source.ts';
import {
  type SectionName,
  type SettingName,
  sectionAliases,
  sectionNames,
  settingNames,
  settings,
} from './settings.ts';
import { suggestionFor } from './suggestion.ts';

/** What sections for hosts begin with. */
const SERVER_NAME_PREFIX = 'sni:';
const SERVER_NAME_KEYS: readonly string[] = ['tls_cert', 'tls_key'];

/**
 * Reads the content of a file.
 *
 * @param path for messages; relative paths in the file are relative to its directory
 */
export function readIniSettings(path: string, bytes: Uint8Array): SettingSource {
  return new IniReader(path, parseIni(bytes)).read();
}

class IniReader {
  private readonly path: string;
  private readonly document: IniDocument;
  private readonly given: Map<SettingName, GivenSetting> = new Map();
  private readonly hosts: Map<string, Map<string, IniEntry>> = new Map();
  private readonly problems: [line: number, text: string][] = [];
  private readonly warnings: string[] = [];

  constructor(path: string, document: IniDocument) {
    this.path = path;
    this.document = document;
  }

  read(): SettingSource {
    for (const { line, reason } of this.document.problems) this.refuse(line, `the line ${reason}`);
    for (const { name, line } of this.document.sections) this.openSection(name, line);
    for (const entry of this.document.entries) this.readEntry(entry);
    const serverNames = this.readServerNames();
    return {
      given: [...this.given.values()],
      serverNames,
      problems: this.problems.sort(([a], [b]) => a - b).map(([, text]) => text),
      warnings: this.warnings,
    };
  }

  private openSection(name: string, line: number): void {
    if (sectionOf(name) !== null) return;
    if (unsupportedSections.has(name)) {
      this.warn(line, `section [${name}] is known, but not supported yet`);
    } else if (isServerNameSection(name)) {
      this.openServerName(name, line);
    } else {
      const known = [...sectionNames, ...Object.keys(sectionAliases), `${SERVER_NAME_PREFIX}HOST`];
      const hint = suggestionFor(name, known) || `; there are [${known.join('], [')}]`;
      this.refuse(line, `there is no section [${name}]${hint}`);
    }
  }

  private openServerName(name: string, line: number): void {
    const host = name.slice(SERVER_NAME_PREFIX.length).trim().toLowerCase();
    if (/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host)) {
      if (!this.hosts.has(host)) this.hosts.set(host, new Map());
    } else {
      this.refuse(
        line,
        `section [${name}] needs a host, as [sni:mq.example.com] or [sni:*.example.com]`,
      );
    }
  }

  private readEntry(entry: IniEntry): void {
    const { section: sectionName, key, line } = entry;
    const section = sectionOf(sectionName);
    if (section !== null) this.readSetting(section, entry);
    else if (sectionName === '') {
      this.refuse(line, `'${key}' stands before the first section; begin with [main]`);
    } else if (isServerNameSection(sectionName)) this.readServerNameEntry(entry);
    // A section that is not known has been told of once.
  }

  private readSetting(section: SectionName, { key, value, line }: IniEntry): void {
    const name = settingsByPlace.get(`${section}.${key}`);
    const instead = unsupportedSettings.get(`${section}.${key}`);
    if (name === undefined && instead === undefined) {
      this.refuse(line, `there is no setting '${key}' in [${section}]${hintFor(section, key)}`);
    } else if (name === undefined) {
      const hint = instead === '' ? '' : `: ${instead}`;
      this.warn(line, `'${key}' is known, but not supported yet${hint}`);
    } else {
      this.give(name, key, value, line);
    }
  }

  private give(name: SettingName, key: string, text: string, line: number): void {
    const place = `${this.path}:${line}`;
    const first = this.given.get(name);
    if (first !== undefined) {
      this.refuse(line, `'${key}' is given twice, first at ${first.origin}`);
    } else if (text === '') {
      this.refuse(line, `'${key}' has no value; without the line the default is in force`);
    } else {
      const baseDirectory = dirname(resolve(this.path));
      this.given.set(name, { name, text, place, label: key, origin: place, baseDirectory });
    }
  }

  private readServerNameEntry(entry: IniEntry): void {
    const { section, key, value, line } = entry;
    const host = this.hosts.get(section.slice(SERVER_NAME_PREFIX.length).trim().toLowerCase());
    const first = host?.get(key);
    if (unsupportedServerNameKeys.has(key)) {
      this.warn(line, `'${key}' is known, but not supported yet`);
    } else if (!SERVER_NAME_KEYS.includes(key)) {
      const hint = suggestionFor(key, SERVER_NAME_KEYS);
      this.refuse(line, `there is no setting '${key}' in [${section}]${hint}`);
    } else if (first !== undefined) {
      this.refuse(line, `'${key}' is given twice, first at ${this.path}:${first.line}`);
    } else if (value === '') {
      this.refuse(line, `'${key}' has no value`);
    } else {
      host?.set(key, entry);
    }
  }

  private readServerNames(): readonly TlsServerName[] {
    const directory = dirname(resolve(this.path));
    return Array.from(this.hosts).flatMap(([host, entries]) => {
      const cert = entries.get('tls_cert');
      const key = entries.get('tls_key');
      if (cert === undefined) {
        const section = this.document.sections.find(({ name }) =>
          name.toLowerCase().endsWith(host),
        );
        this.refuse(section?.line ?? 1, `section [sni:${host}] has no 'tls_cert'`);
        return [];
      }
      const keyPath = key === undefined ? null : resolve(directory, key.value);
      return [{ host, certPath: resolve(directory, cert.value), keyPath }];
    });
  }

  private refuse(line: number, reason: string): void {
    this.problems.push([line, `${this.path}:${line}: ${reason}`]);
  }

  private warn(line: number, text: string): void {
    this.warnings.push(`${this.path}:${line}: ${text}`);
  }
}

/** Every place in the file where a setting may stand, as `section.key`. */
const settingsByPlace: ReadonlyMap<string, SettingName> = new Map(
  settingNames.flatMap((name) => {
    const { section, key, aliases = [] } = settings[name];
    return [`${section}.${key}`, ...aliases].map((place) => [place, name] as const);
  }),
);

function sectionOf(name: string): SectionName | null {
  const alias = Object.hasOwn(sectionAliases, name) ? sectionAliases[name] : undefined;
  return alias ?? sectionNames.find((known) => known === name) ?? null;
}

function isServerNameSection(name: string): boolean {
  return name.startsWith(SERVER_NAME_PREFIX);
}

/** Where a key belongs that is not known in a section, or what may have been meant. */
function hintFor(section: SectionName, key: string): string {
  const places = [...settingsByPlace.keys()].map((place) => place.split('.'));
  const elsewhere = places.find(([, known]) => known === key)?.[0];
  if (elsewhere !== undefined) return `; it belongs to [${elsewhere}]`;
  const here = places.flatMap(([inSection, known]) =>
    inSection === section && known !== undefined ? [known] : [],
  );
  return suggestionFor(key, here);
}
