/**
 * The command line, as a parser: flags from the registry of settings and a few of its own, commands from
 * tool-command.ts. What the values mean is not known here. Parsing has no side effect: the caller prints and exits.
 */
import { Command, CommanderError, Option } from 'commander';
import type { GivenSetting, SettingSource } from './setting-source.ts';
import { defaultTextOf, type SettingName, settingNames, settings } from './settings.ts';
import { addToolCommands, type ToolCommand } from './tool-command.ts';
import { productName, productVersion } from './version.ts';

/** What is wanted of the server. */
export type ServerAction = 'run' | 'check config' | 'print config';

/** What the command line asks for. */
export type CommandLineResult =
  | {
      readonly kind: 'server';
      readonly action: ServerAction;
      /** The configuration file that it names; null when it names none. */
      readonly configPath: string | null;
      readonly settings: SettingSource;
    }
  | { readonly kind: 'tool'; readonly command: ToolCommand }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string };

/** One flag of the command line. */
export interface CommandLineFlag {
  /** Short form, long form and the name of the value, as the help shows them. */
  readonly flags: string;
  readonly description: string;
  /** The default as the help and the reference page show it; '' where there is none. */
  readonly defaultText: string;
}

/** Flags that are no settings. */
const ownFlags = {
  config: {
    flags: '-c, --config <file>',
    description: 'configuration file',
    defaultText: '$CONFIGURATION_DIRECTORY/firnmq.ini',
  },
  debug: {
    flags: '-d, --debug',
    description: 'the same as --log-level debug',
    defaultText: '',
  },
  checkConfig: {
    flags: '--check-config',
    description: 'read the whole configuration, say what is wrong with it, and end',
    defaultText: '',
  },
  printConfig: {
    flags: '--print-config',
    description: 'print every setting, its value and where that came from, and end',
    defaultText: '',
  },
  help: { flags: '-h, --help', description: 'print this help', defaultText: '' },
  version: { flags: '-v, --version', description: 'print the version', defaultText: '' },
} as const satisfies Readonly<Record<string, CommandLineFlag>>;

/** Every flag, in the order of the help text. */
export function commandLineFlags(): readonly CommandLineFlag[] {
  return [...settingFlags.map(({ flag }) => flag), ...Object.values(ownFlags)];
}

interface SettingFlag {
  readonly name: SettingName;
  readonly flag: CommandLineFlag;
}

const settingFlags: readonly SettingFlag[] = settingNames.flatMap((name) => {
  const { flags, description } = settings[name];
  if (flags === undefined) return [];
  return [{ name, flag: { flags, description, defaultText: defaultTextOf(name) } }];
});

/** What commander collects: exactly the flags that were given. */
type GivenFlags = Readonly<Record<string, string | boolean | undefined>>;

/**
 * Reads a command line.
 *
 * @param argv the arguments alone, without the interpreter and the script
 * @param baseDirectory what relative paths are relative to
 */
export function parseCommandLine(
  argv: readonly string[],
  baseDirectory: string,
): CommandLineResult {
  let printed = '';
  let command: ToolCommand | null = null;
  const print = (text: string) => {
    printed += text;
  };
  const parser = createParser(print, (chosen) => {
    command = chosen;
  });
  try {
    const flags = parser.parse(argv, { from: 'user' }).opts<GivenFlags>();
    if (command === null) return readServerFlags(flags, baseDirectory);
    if (Object.keys(flags).length > 0) {
      parser.error("error: the server's options do not go with a command");
    }
    return { kind: 'tool', command };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: error.exitCode === 0 ? 'print' : 'error', text: printed };
  }
}

function createParser(
  print: (text: string) => void,
  choose: (command: ToolCommand) => void,
): Command {
  const { config, debug, checkConfig, printConfig, help, version } = ownFlags;
  const parser = new Command('firnmq')
    .description(`${productName}, a message broker for AMQP 0-9-1.`)
    .version(`${productName} ${productVersion}`, version.flags, version.description)
    .helpOption(help.flags, help.description)
    .addOption(optionOf(config))
    .addOption(optionOf(debug).conflicts('logLevel'));
  for (const { name, flag } of settingFlags) {
    const option = optionOf(flag);
    parser.addOption(settings[name].isRepeatable === true ? option.argParser(joined) : option);
  }
  parser
    .addOption(optionOf(checkConfig))
    .addOption(optionOf(printConfig))
    .usage('[options] | <command>')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: print })
    // Without a command it is the server that is asked for.
    .action(() => undefined);
  addToolCommands(parser, choose);
  return parser;
}

function optionOf({ flags, description, defaultText }: CommandLineFlag): Option {
  const note = defaultText === '' ? '' : ` (default: ${defaultText})`;
  return new Option(flags, description + note);
}

function joined(text: string, sofar: string | undefined): string {
  return sofar === undefined ? text : `${sofar},${text}`;
}

function readServerFlags(flags: GivenFlags, baseDirectory: string): CommandLineResult {
  const given = settingFlags.flatMap(({ name, flag }): readonly GivenSetting[] => {
    const option = optionOf(flag);
    const isDebug = name === 'logLevel' && flags['debug'] === true;
    const text = isDebug ? 'debug' : flags[option.attributeName()];
    if (typeof text !== 'string') return [];
    const label = isDebug ? '--debug' : (option.long ?? flag.flags);
    return [{ name, text, place: 'command line', label, origin: label, baseDirectory }];
  });
  const { config = null } = flags;
  return {
    kind: 'server',
    action: actionOf(flags),
    configPath: typeof config === 'string' ? config : null,
    settings: { given, serverNames: [], problems: [], warnings: [] },
  };
}

function actionOf(flags: GivenFlags): ServerAction {
  if (flags['printConfig'] === true) return 'print config';
  return flags['checkConfig'] === true ? 'check config' : 'run';
}
