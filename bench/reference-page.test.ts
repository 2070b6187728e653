/** The page of firnmqperf and the program say the same: every flag, and every key of the summaries. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import t from 'tap';
import { parseAmqpUri } from './amqp/amqp-uri.ts';
import { addChurnCommands } from './churn/churn-commands.ts';
import { addCountCommands } from './counts/count-commands.ts';
import { OperationMeter } from './operations/operation-meter.ts';
import { StandInBroker } from './testing/stand-in-broker.ts';
import { runThroughput } from './throughput/throughput.ts';
import { addThroughputCommand } from './throughput/throughput-command.ts';
import { THROUGHPUT_DEFAULTS } from './throughput/throughput-options.ts';

const PAGE = readFileSync(new URL('../../docs/reference/firnmqperf.md', import.meta.url), 'utf8');

/** The text from a heading of the second level to the next. */
function section(heading: string): string {
  const text = PAGE.split(/^## /m).find((part) => part.startsWith(heading));
  if (text === undefined) throw new Error(`no section ${heading}`);
  return text;
}

/** Flags in the first cells of tables, as `-x` and `--long`. */
function documentedFlags(text: string): string[] {
  const cells = text.split('\n').flatMap((line) => /^\| (`-.*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => cell.match(/(?<=[` ])--?[a-zA-Z][a-z-]*/g) ?? []);
}

/** Flags that the commands take. */
function acceptedFlags(add: (program: Command) => void): string[] {
  const program = new Command();
  add(program);
  return program.commands.flatMap((command) =>
    command.options.flatMap(({ short, long }) =>
      [short, long].filter((flag) => flag !== undefined),
    ),
  );
}

function sorted(flags: readonly string[]): string[] {
  return [...new Set(flags)].sort();
}

t.test('every flag of throughput is on the page, and no other', async (t) => {
  const documented = documentedFlags(section('`throughput`'));
  t.same(sorted(documented), sorted(acceptedFlags(addThroughputCommand)));
});

t.test('every flag of the churns is on the page, and no other', async (t) => {
  const documented = documentedFlags(section('Churns'));
  // As in `throughput`, the page says of these two.
  t.same(sorted([...documented, '--quiet', '--json']), sorted(acceptedFlags(addChurnCommands)));
});

t.test('every flag of the counts is on the page, and no other', async (t) => {
  const documented = documentedFlags(section('Counts'));
  // Both have these, the page says below its tables.
  const common = ['--uri', '-z', '--time', '-j', '--json'];
  t.same(sorted([...documented, ...common]), sorted(acceptedFlags(addCountCommands)));
});

/** Keys in the first cells of the tables of a section. */
function documentedKeys(text: string): string[] {
  const cells = text.split('\n').flatMap((line) => /^\| (`[a-z].*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => cell.match(/(?<=`)[a-zA-Z]+(?=`)/g) ?? []);
}

t.test('every key of the summaries is on the page, and no other', async (t) => {
  const broker = await StandInBroker.start(16);
  t.teardown(() => broker.stop());
  const uri = parseAmqpUri(broker.uri);
  const result = await runThroughput({ ...THROUGHPUT_DEFAULTS, uri, publishCountMax: 1 });
  const keys = documentedKeys(section('`throughput`').split('### The summary as JSON')[1] ?? '');
  t.same(sorted(keys), sorted(Object.keys(result)));
  const figure = new OperationMeter('name').figure();
  t.same(sorted(documentedKeys(section('Churns'))), sorted(Object.keys(figure)));
});
