/**
 * The settings of the environment. An empty variable counts as one that is not there: that is what `${NAME:-}` makes of
 * a missing one.
 */
import type { GivenSetting, SettingSource } from './setting-source.ts';
import { environmentName, settingNames, settings } from './settings.ts';
import { suggestionFor } from './suggestion.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the configuration file, where the command line does not. */
export const CONFIG_VARIABLE = 'FIRNMQ_CONFIG';

/** Kubernetes tells every container about services in this form, also about one with the name `firnmq`. */
const OF_A_SERVICE = /^FIRNMQ_(.*_)?(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))|^FIRNMQ_PORT$/;

/** Reads all variables that begin with `FIRNMQ_`. */
export function readEnvironmentSettings(env: Environment, baseDirectory: string): SettingSource {
  const given: GivenSetting[] = [];
  const known = new Set([CONFIG_VARIABLE]);
  for (const name of settingNames) {
    const variable = environmentName(name);
    const written = env[variable] ?? '';
    const text = settings[name].isSecret === true ? written : written.trim();
    known.add(variable);
    if (text === '') continue;
    const origin = variable;
    given.push({ name, text, place: 'environment', label: variable, origin, baseDirectory });
  }
  const warnings = Object.keys(env)
    .filter((name) => name.startsWith('FIRNMQ_') && !known.has(name) && !OF_A_SERVICE.test(name))
    .sort()
    .map((name) => `environment: there is no setting ${name}${suggestionFor(name, known)}`);
  return { given, serverNames: [], problems: [], warnings };
}
