/**
 * What the process is asked to do: command line, file and environment, put together. Order of force, the weakest
 * first: defaults, file, environment, command line.
 */
import { parseCommandLine, type ServerAction } from './command-line.ts';
import type { Config } from './config.ts';
import { directoriesIn, findConfigFile, readConfigFile, unreadableFilesIn } from './config-file.ts';
import { type Environment, readEnvironmentSettings } from './environment-source.ts';
import { formatConfig } from './print-config.ts';
import { type ResolvedSettings, resolveSettings } from './resolve-settings.ts';
import type { SettingSource } from './setting-source.ts';
import type { ToolCommand } from './tool-command.ts';

/** What to do. Warnings and error texts are whole lines. */
export type StartCommand =
  | {
      readonly kind: 'run';
      readonly config: Config;
      /** The configuration file that was read; null when there is none. */
      readonly configPath: string | null;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'tool'; readonly command: ToolCommand }
  | { readonly kind: 'print'; readonly text: string; readonly warnings: readonly string[] }
  | { readonly kind: 'error'; readonly text: string };

const SHOWN_COUNT_MAX = 50;
const SHOWN_LENGTH_MAX = 1000;

/**
 * Reads everything that says how to start.
 *
 * @param argv the arguments alone, without the interpreter and the script
 * @param directory the working directory
 */
export function readStartCommand(
  argv: readonly string[],
  env: Environment,
  directory: string,
): StartCommand {
  const line = parseCommandLine(argv, directory);
  if (line.kind === 'print') return { ...line, warnings: [] };
  if (line.kind !== 'server') return line;
  const configPath = findConfigFile(line.configPath, env);
  const resolved = resolveSettings([
    readStateDirectory(env, directory),
    ...(configPath === null ? [] : [readConfigFile(configPath, directory)]),
    readEnvironmentSettings(env, directory),
    line.settings,
  ]);
  return decide(line.action, configPath, resolved);
}

function decide(
  action: ServerAction,
  configPath: string | null,
  { config, origins, problems, warnings }: ResolvedSettings,
): StartCommand {
  if (config === null) return { kind: 'error', text: linesOf('error', problems) };
  if (action === 'run') return { kind: 'run', config, configPath, warnings };
  if (action === 'print config') {
    return { kind: 'print', text: formatConfig(config, origins), warnings };
  }
  const unreadable = unreadableFilesIn(config);
  if (unreadable.length > 0) return { kind: 'error', text: linesOf('error', unreadable) };
  return { kind: 'print', text: 'the configuration is ok\n', warnings };
}

/**
 * The text of messages, one a line, each behind a word that says how serious it is. Of a file that is something else
 * altogether, enough to see it.
 */
export function linesOf(word: 'error' | 'warning', messages: readonly string[]): string {
  const shown = messages.slice(0, SHOWN_COUNT_MAX).map((message) => {
    const isLong = message.length > SHOWN_LENGTH_MAX;
    return `${word}: ${isLong ? `${message.slice(0, SHOWN_LENGTH_MAX)}...` : message}\n`;
  });
  const more = messages.length - shown.length;
  return shown.join('') + (more > 0 ? `${word}: and ${more} more\n` : '');
}

/** The default of the data directory, from systemd (systemd.exec(5)). */
function readStateDirectory(env: Environment, baseDirectory: string): SettingSource {
  const place = 'environment';
  const label = 'STATE_DIRECTORY';
  const given = directoriesIn(env[label])
    .slice(0, 1)
    .map((text) => ({
      name: 'dataDir' as const,
      text,
      place,
      label,
      origin: label,
      baseDirectory,
    }));
  return { given, serverNames: [], problems: [], warnings: [] };
}
