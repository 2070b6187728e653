/**
 * `--print-config`: every setting with its value and where that came from, in the form of the configuration file, so
 * that it can be kept as one. Secrets are not shown; their lines are comments, as those of settings without a value.
 */
import type { Config, TlsServerName } from './config.ts';
import { formatIniValue } from './ini-document.ts';
import { type SettingName, sectionNames, settingNames, settings } from './settings.ts';

/** What stands for a secret. */
const MASK = '********';
/** Where the origins begin, unless a line is longer. */
const ORIGIN_COLUMN = 48;

/** The text, with a line end behind each line. */
export function formatConfig(config: Config, origins: ReadonlyMap<SettingName, string>): string {
  const sections = sectionNames.map((section) => {
    const names = settingNames.filter((name) => settings[name].section === section);
    const lines = names.map((name) => formatSetting(config, name, origins.get(name) ?? 'default'));
    return `[${section}]\n${lines.join('')}`;
  });
  return [...sections, ...config.tlsServerNames.map(formatServerName)].join('\n');
}

function formatSetting<K extends SettingName>(config: Config, name: K, origin: string): string {
  const { key, type, isSecret } = settings[name];
  const value = type.format(config[name]);
  if (value === null) return formatLine(`;${key} =`, origin);
  if (isSecret === true) return formatLine(`;${key} = ${MASK}`, origin);
  return formatLine(`${key} = ${formatIniValue(value)}`, origin);
}

function formatServerName({ host, certPath, keyPath }: TlsServerName): string {
  const key = keyPath === null ? '' : `tls_key = ${formatIniValue(keyPath)}\n`;
  return `[sni:${host}]\ntls_cert = ${formatIniValue(certPath)}\n${key}`;
}

function formatLine(text: string, origin: string): string {
  return `${text.padEnd(ORIGIN_COLUMN)} ; ${origin}\n`;
}
