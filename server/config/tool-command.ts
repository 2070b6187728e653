/**
 * The commands beside running the server, as data and as a part of the parser: what an operator does to files
 * while the server is down. Carried out in server/tools.
 */
import { Command, type Command as Parser } from 'commander';

/** One of the commands with what was given to it. */
export type ToolCommand =
  | {
      readonly name: 'dump';
      readonly files: readonly string[];
      /** One JSON object a line instead of text. */
      readonly json: boolean;
      /** Bodies whole instead of their first bytes. */
      readonly bodies: boolean;
    }
  | { readonly name: 'verify'; readonly directory: string }
  | {
      readonly name: 'recover';
      readonly directory: string;
      /** The file to write; `-` is standard output. */
      readonly exportPath: string;
    };

interface DumpFlags {
  readonly json?: true;
  readonly bodies?: true;
}

interface RecoverFlags {
  readonly export: string;
}

/** Adds the commands to the parser; `choose` is told of the one that was given. */
export function addToolCommands(parser: Parser, choose: (command: ToolCommand) => void): void {
  parser.addCommand(
    commandOf(parser, 'dump', 'print data files readably')
      .argument('<files...>', 'files of a data directory')
      .option('--json', 'one JSON object a line')
      .option('--bodies', 'print the bodies of messages whole')
      .action((files: readonly string[], { json, bodies }: DumpFlags) => {
        choose({ name: 'dump', files, json: json === true, bodies: bodies === true });
      }),
  );
  parser.addCommand(
    commandOf(parser, 'verify', 'check a data directory while no server runs on it')
      .argument('<dir>', 'the data directory')
      .action((directory: string) => choose({ name: 'verify', directory })),
  );
  parser.addCommand(
    commandOf(parser, 'recover', 'save the messages of a damaged data directory')
      .argument('<dir>', 'the data directory; nothing in it is changed')
      .requiredOption(
        '--export <file>',
        'file for the messages, one JSON object a line; - prints them',
      )
      .action((directory: string, flags: RecoverFlags) => {
        choose({ name: 'recover', directory, exportPath: flags.export });
      }),
  );
}

/** A command that prints and fails as its parser does. */
function commandOf(parser: Parser, name: string, description: string): Command {
  return new Command(name)
    .copyInheritedSettings(parser)
    .description(description)
    .helpOption('-h, --help', 'print this help');
}
