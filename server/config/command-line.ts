/**
 * The command line, as data and as a parser.
 *
 * `commandLineFlags` is the one list of flags; the parser, the help text and the test that holds
 * docs/reference/config.md against it all read it. Parsing has no side effect: the caller prints and
 * exits (0 after help and version, 2 after an error).
 */
import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseByteSize } from './byte-size.ts';
import {
  type Config,
  type ConfigOptions,
  configDefaults,
  createConfig,
  logLevels,
} from './config.ts';
import { addToolCommands, type ToolCommand } from './tool-command.ts';
import { productName, productVersion } from './version.ts';

/** What the command line asks for. */
export type CommandLineResult =
  | { readonly kind: 'run'; readonly config: Config }
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

/** The flags by the names that the parser gives them. */
export type CommandLineFlagName =
  | 'dataDir'
  | 'bind'
  | 'amqpPort'
  | 'httpPort'
  | 'logLevel'
  | 'memoryHighWatermark'
  | 'diskFreeLimit'
  | 'help'
  | 'version';

/** Every flag, in the order of the help text. */
export const commandLineFlags: Readonly<Record<CommandLineFlagName, CommandLineFlag>> = {
  dataDir: {
    flags: '-D, --data-dir <dir>',
    description: 'directory that holds everything that survives a restart (required)',
    defaultText: '$STATE_DIRECTORY',
  },
  bind: {
    flags: '-b, --bind <address>',
    description: 'address to listen on, instead of the default ones; may be repeated',
    defaultText: configDefaults.bindAddresses.join(', '),
  },
  amqpPort: {
    flags: '-p, --amqp-port <port>',
    description: 'port for AMQP; 0 takes a free one',
    defaultText: String(configDefaults.amqpPort),
  },
  httpPort: {
    flags: '--http-port <port>',
    description: 'port for HTTP; 0 takes a free one',
    defaultText: String(configDefaults.httpPort),
  },
  logLevel: {
    flags: '-l, --log-level <level>',
    description: `least level that is logged: ${logLevels.join(', ')}`,
    defaultText: configDefaults.logLevel,
  },
  memoryHighWatermark: {
    flags: '--memory-high-watermark <mark>',
    description: 'memory at which publishers are blocked: share of what there is, or a size',
    defaultText: String(configDefaults.memoryHighWatermark),
  },
  diskFreeLimit: {
    flags: '--disk-free-limit <size>',
    description: 'free disk space below which publishers are blocked',
    defaultText: '50MB',
  },
  help: { flags: '-h, --help', description: 'print this help', defaultText: '' },
  version: { flags: '-v, --version', description: 'print the version', defaultText: '' },
};

/** A lower one would be a mistake: the server needs more for itself. */
const WATERMARK_BYTES_MIN = 2 ** 20;

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('Allowed is a number from 0 to 65535.');
}

function parseLogLevel(text: string): Config['logLevel'] {
  const level = logLevels.find((known) => known === text);
  if (level !== undefined) return level;
  throw new InvalidArgumentError(`Allowed are ${logLevels.join(', ')}.`);
}

function parseWatermark(text: string): number {
  const value = parseByteSize(text);
  const share = /^(0?\.\d+|1(\.0+)?)$/.test(text) ? Number(text) : 0;
  if (share > 0) return share;
  if (value !== null && value >= WATERMARK_BYTES_MIN) return value;
  throw new InvalidArgumentError('Allowed is a share up to 1, as 0.4, or a size from 1MiB on.');
}

function parseSize(text: string): number {
  const value = parseByteSize(text);
  if (value !== null) return value;
  throw new InvalidArgumentError('Allowed is a number of bytes, or one with a unit, as 50MB.');
}

function parseText(text: string): string {
  if (text !== '' && text.trim() === text) return text;
  throw new InvalidArgumentError('It must not be empty, nor begin or end with a space.');
}

function collect(text: string, sofar: readonly string[] | undefined): readonly string[] {
  return [...(sofar ?? []), parseText(text)];
}

function option(flag: CommandLineFlag): Option {
  const note = flag.defaultText === '' ? '' : ` (default: ${flag.defaultText})`;
  return new Option(flag.flags, flag.description + note);
}

/** What commander collects: exactly the flags that were given. */
interface GivenFlags {
  readonly dataDir?: string;
  readonly bind?: readonly string[];
  readonly amqpPort?: number;
  readonly httpPort?: number;
  readonly logLevel?: Config['logLevel'];
  readonly memoryHighWatermark?: number;
  readonly diskFreeLimit?: number;
}

function createParser(
  print: (text: string) => void,
  choose: (command: ToolCommand) => void,
): Command {
  const { dataDir, bind, amqpPort, httpPort, logLevel, help, version } = commandLineFlags;
  const { memoryHighWatermark, diskFreeLimit } = commandLineFlags;
  const parser = new Command('firnmq')
    .description(`${productName}, a message broker for AMQP 0-9-1.`)
    .version(`${productName} ${productVersion}`, version.flags, version.description)
    .helpOption(help.flags, help.description)
    .addOption(option(dataDir).argParser(parseText))
    .addOption(option(bind).argParser(collect))
    .addOption(option(amqpPort).argParser(parsePort))
    .addOption(option(httpPort).argParser(parsePort))
    .addOption(option(logLevel).argParser(parseLogLevel))
    .addOption(option(memoryHighWatermark).argParser(parseWatermark))
    .addOption(option(diskFreeLimit).argParser(parseSize))
    .usage('[options] | <command>')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: print })
    // Without a command it is the server that is asked for.
    .action(() => undefined);
  addToolCommands(parser, choose);
  return parser;
}

/**
 * Reads a command line.
 *
 * @param argv the arguments alone, without the interpreter and the script
 * @param env the environment; only `STATE_DIRECTORY` is read, the data directory's default
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
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
    const given = parser.parse(argv, { from: 'user' }).opts<GivenFlags>();
    if (command !== null) {
      const [flag] = Object.keys(given);
      if (flag !== undefined) parser.error("error: the server's options do not go with a command");
      return { kind: 'tool', command };
    }
    const dataDir = given.dataDir ?? env['STATE_DIRECTORY'] ?? '';
    if (dataDir === '') {
      parser.error(
        `error: option '${commandLineFlags.dataDir.flags}' is needed, or STATE_DIRECTORY`,
      );
    }
    return {
      kind: 'run',
      config: createConfig({ ...overrides(given), dataDir: resolve(dataDir) }),
    };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: error.exitCode === 0 ? 'print' : 'error', text: printed };
  }
}

function overrides(given: GivenFlags): Partial<ConfigOptions> {
  const { bind, amqpPort, httpPort, logLevel, memoryHighWatermark, diskFreeLimit } = given;
  return {
    ...(bind !== undefined && { bindAddresses: bind }),
    ...(amqpPort !== undefined && { amqpPort }),
    ...(httpPort !== undefined && { httpPort }),
    ...(logLevel !== undefined && { logLevel }),
    ...(memoryHighWatermark !== undefined && { memoryHighWatermark }),
    ...(diskFreeLimit !== undefined && { diskFreeLimitBytes: diskFreeLimit }),
  };
}
