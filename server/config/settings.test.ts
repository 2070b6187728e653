import { readFileSync } from 'node:fs';
import t from 'tap';
import { commandLineFlags } from './command-line.ts';
import { type Config, configDefaults } from './config.ts';
import { unsupportedSettings } from './known-settings.ts';
import {
  defaultTextOf,
  environmentName,
  type SettingName,
  sectionNames,
  settingNames,
  settings,
} from './settings.ts';

const page = readFileSync(new URL('../../../docs/reference/config.md', import.meta.url), 'utf8');

/** The cells of a table that stands under a heading, without their backticks; the headings of columns left out. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const [, section = ''] = page.split(`\n${heading}\n`);
  const rows = section.split(/\n#+ /)[0]!.match(/^\|.*\|$/gm) ?? [];
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  );
}

t.test(
  'the reference page has a row for every setting, with its names and its default',
  async (t) => {
    for (const section of sectionNames) {
      const known = settingNames
        .filter((name) => settings[name].section === section)
        .map((name) => [
          settings[name].key,
          environmentName(name),
          settings[name].flags ?? '',
          defaultTextOf(name),
        ]);
      const rows = tableUnder(`### \`[${section}]\``);
      t.same(
        rows.map((row) => row.slice(0, 4)),
        known,
        section,
      );
      for (const [key, , , , meaning] of rows) t.ok(meaning, `${key} has a meaning`);
    }
    for (const { aliases = [] } of settingNames.map((name) => settings[name])) {
      for (const alias of aliases) {
        t.ok(page.includes(`\`${alias.split('.')[1]}\``), `the page mentions ${alias}`);
      }
    }
  },
);

t.test('the reference page has every flag that is no setting', async (t) => {
  const ofSettings = new Set<string | undefined>(settingNames.map((name) => settings[name].flags));
  const known = commandLineFlags()
    .filter(({ flags }) => !ofSettings.has(flags))
    .map(({ flags, defaultText }) => [flags, defaultText]);
  const rows = tableUnder('## Flags that are no settings');
  t.same(
    rows.map((row) => row.slice(0, 2)),
    known,
  );
});

t.test('no two settings share a place in the file, a variable or a flag', async (t) => {
  const all = settingNames.map((name) => settings[name]);
  const places = all.flatMap(({ section, key, aliases = [] }) => [`${section}.${key}`, ...aliases]);
  const names = [
    [...places, ...unsupportedSettings.keys()],
    settingNames.map(environmentName),
    commandLineFlags().flatMap(({ flags }) => flags.match(/(?<!\S)--?[a-z-]+/g) ?? []),
  ];
  for (const list of names) t.equal(new Set(list).size, list.length);
});

t.test('the text of every default means that default', async (t) => {
  const config: Config = { ...configDefaults, dataDir: '/data' };
  const check = <K extends SettingName>(name: K) => {
    const { type } = settings[name];
    const text = type.format(config[name]);
    if (text === null) t.equal(config[name], null, name);
    else t.same(type.parse(text, '/'), config[name], name);
  };
  for (const name of settingNames) check(name);
});

t.test('a default that the page words differently is the same value', async (t) => {
  const check = <K extends SettingName>(name: K) =>
    settings[name].type.parse(defaultTextOf(name), '/');
  t.equal(check('diskFreeLimitBytes'), configDefaults.diskFreeLimitBytes);
  t.equal(check('handshakeTimeoutMs'), configDefaults.handshakeTimeoutMs);
  t.equal(check('maxMessageSizeBytes'), configDefaults.maxMessageSizeBytes);
});
