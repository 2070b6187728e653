/** From what the sources say to one Config: reads the values, lets the stronger source win, and checks the whole. */
import { type Config, configDefaults, createConfig, type TlsServerName } from './config.ts';
import type { GivenSetting, SettingSource } from './setting-source.ts';
import { environmentName, type SettingName, settings } from './settings.ts';
import { ValueError } from './value-error.ts';

/** A Config and where it came from. */
export interface ResolvedSettings {
  /** Null when there are problems. */
  readonly config: Config | null;
  /** Where each value came from; those that are missing here have their defaults. */
  readonly origins: ReadonlyMap<SettingName, string>;
  /** What cannot be used: whole lines. */
  readonly problems: readonly string[];
  /** What is not in force, or not as one might think: whole lines. */
  readonly warnings: readonly string[];
}

type Values = { -readonly [K in SettingName]?: Config[K] };

/** Values longer than this are not repeated in messages. */
const SHOWN_LENGTH_MAX = 80;

const DATA_DIR_NEEDED =
  `the data directory is needed: '${settings.dataDir.flags}', ` +
  `${environmentName('dataDir')}, 'data_dir' in [main] of a file, or STATE_DIRECTORY`;

/** Resolves sources, the weakest first. */
export function resolveSettings(sources: readonly SettingSource[]): ResolvedSettings {
  const resolver = new Resolver();
  for (const source of sources) resolver.add(source);
  return resolver.finish();
}

class Resolver {
  private readonly values: Values = {};
  private readonly serverNames: TlsServerName[] = [];
  private readonly origins: Map<SettingName, string> = new Map();
  private readonly problems: string[] = [];
  private readonly warnings: string[] = [];

  add({ given, serverNames, problems, warnings }: SettingSource): void {
    this.problems.push(...problems);
    this.warnings.push(...warnings);
    this.serverNames.push(...serverNames);
    for (const { name } of given)
      for (const other of settings[name].resets ?? []) this.reset(other);
    for (const setting of given) this.set(setting.name, setting);
  }

  finish(): ResolvedSettings {
    const { values, serverNames: tlsServerNames, origins, problems, warnings } = this;
    const { dataDir } = values;
    // A value that could not be read may look like one that is missing.
    if (problems.length === 0) {
      if (dataDir === undefined) problems.push(DATA_DIR_NEEDED);
      const all = { ...configDefaults, ...values, tlsServerNames };
      problems.push(...contradictionsIn(all));
      if (all.tlsCaPath !== null && all.tlsVerifyPeer === 'off') {
        warnings.push("'tls_ca_cert' has no effect while 'tls_verify_peer' is off");
      }
    }
    const config =
      dataDir === undefined || problems.length > 0
        ? null
        : createConfig({ ...values, dataDir, tlsServerNames });
    return { config, origins, problems, warnings };
  }

  private reset(name: SettingName): void {
    delete this.values[name];
    this.origins.delete(name);
  }

  private set<K extends SettingName>(name: K, given: GivenSetting): void {
    const { text, place, label, origin, baseDirectory } = given;
    const { type, isSecret } = settings[name];
    try {
      this.values[name] = type.parse(text, baseDirectory);
      this.origins.set(name, origin);
      const remark = type.remark?.(text) ?? null;
      if (remark !== null) this.warnings.push(`${place}: ${label}: ${remark}`);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const shown = isSecret === true ? 'its value' : quote(text);
      this.problems.push(`${place}: ${label}: ${shown} is not allowed; ${error.message}`);
    }
  }
}

/** What single values cannot show. */
function contradictionsIn(config: Omit<Config, 'dataDir'>): readonly string[] {
  const problems: string[] = [];
  const { defaultPassword, defaultPasswordHash, defaultUser } = config;
  const hasPassword = defaultPassword !== null || defaultPasswordHash !== null;
  if (defaultPassword !== null && defaultPasswordHash !== null) {
    problems.push("give either 'default_password' or 'default_password_hash', not both");
  }
  if (defaultUser !== configDefaults.defaultUser && !hasPassword) {
    problems.push("'default_user' needs 'default_password' or 'default_password_hash'");
  }
  if (config.tlsCertPath === null) {
    if (config.tlsKeyPath !== null) problems.push("'tls_key' needs 'tls_cert'");
    if (config.tlsVerifyPeer !== 'off') problems.push("'tls_verify_peer' needs 'tls_cert'");
    if (config.tlsKeyPassphrasePath !== null) {
      problems.push("'tls_key_passphrase_file' needs 'tls_cert'");
    }
    if (config.tlsServerNames.length > 0) {
      problems.push("a section [sni:HOST] needs 'tls_cert' in [main], for all other hosts");
    }
  }
  if (config.tlsCertPath !== null && config.tlsVerifyPeer !== 'off' && config.tlsCaPath === null) {
    problems.push("'tls_verify_peer' needs 'tls_ca_cert': who may sign certificates of clients");
  }
  return [...problems, ...sharedPortsIn(config)];
}

/** Ports that two listeners want; 0 is another one for each. */
function sharedPortsIn(config: Omit<Config, 'dataDir'>): readonly string[] {
  const amqpAddresses = config.amqpBindAddresses ?? config.bindAddresses;
  const httpAddresses = config.httpBindAddresses ?? config.bindAddresses;
  const listeners = [
    { name: "'port' in [amqp]", port: config.amqpPort, addresses: amqpAddresses },
    {
      name: "'tls_port' in [amqp]",
      port: config.tlsCertPath === null ? null : config.amqpsPort,
      addresses: amqpAddresses,
    },
    { name: "'port' in [mgmt]", port: config.httpPort, addresses: httpAddresses },
  ];
  return listeners.flatMap((one, index) =>
    listeners
      .slice(index + 1)
      .filter(({ port }) => port !== null && port !== 0 && port === one.port)
      .filter(({ addresses }) => addresses.some((address) => one.addresses.includes(address)))
      .map((other) => `${one.name} and ${other.name} are both ${one.port}`),
  );
}

function quote(text: string): string {
  const shown = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
  return `'${shown.replace(/\p{Cc}/gu, '?')}'`;
}
