/** `firnmqperf numbers`: this server beside others, each on one core, the generator on another. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseAmount, parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { createFirnmqTarget } from '../targets/firnmq-target.ts';
import { pinThisProcess } from '../targets/pinned-process.ts';
import { createRabbitmqTarget, isRabbitmqInstalled } from '../targets/rabbitmq-target.ts';
import { createRunningTarget } from '../targets/running-target.ts';
import { createBareTarget, createStandInTarget } from '../targets/stand-in-target.ts';
import type { Target } from '../targets/target.ts';
import { commitName, describeMachine } from './describe-machine.ts';
import { isAllReached } from './judge.ts';
import { measureRows, type RowOutcome } from './measure-rows.ts';
import { formatOutcome, formatReport } from './report.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows.ts';
import { formatSummary, parseSavedResults } from './summary.ts';
import { writeResults } from './write-results.ts';

const TARGET_NAMES = ['firnmq', 'bare', 'stand-in', 'rabbitmq'] as const;
type TargetName = (typeof TARGET_NAMES)[number];

interface NumbersFlags {
  readonly targets: readonly TargetName[];
  readonly against: readonly string[];
  readonly rows: readonly Row[];
  readonly repeats: number;
  readonly seconds: number;
  readonly scale: number;
  readonly serverCore: number;
  readonly generatorCore: number;
  readonly results: string;
  readonly list?: true;
  readonly summary?: string;
}

/** Adds the command to `program`. */
export function addNumbersCommand(program: Command): void {
  program
    .command('numbers')
    .description('compare brokers row by row; writes a table, a chart and all samples')
    .addOption(targetsOption())
    .addOption(
      new Option(
        '--against <uri...>',
        'brokers that run already, measured before the last target',
      ).default([], 'none'),
    )
    .addOption(rowsOption())
    .option('--list', 'name the rows and end')
    .option('--summary <file>', 'sum up what was measured before, for a page, and end')
    .option('--repeats <count>', 'runs of every row', parsePositiveCount, 5)
    .option('--seconds <count>', 'length of an ordinary run', toSeconds, 5)
    .option('--scale <factor>', 'multiplies messages waiting, queues, connections', parseAmount, 1)
    .option('--server-core <number>', 'core of the broker, all its threads', parseCount, 0)
    .option('--generator-core <number>', 'core of the generator', parseCount, 1)
    .option('--results <directory>', 'where they are written', 'bench/results')
    .action(runCommand);
}

async function runCommand(flags: NumbersFlags): Promise<void> {
  if (flags.list === true) {
    for (const { id, title } of flags.rows) console.log(`${id.padEnd(24)}${title}`);
    return;
  }
  if (flags.summary !== undefined) {
    console.log(formatSummary(parseSavedResults(await readFile(flags.summary, 'utf8'))));
    return;
  }
  const known = flags.targets.map((name) => createTarget(name, flags.serverCore));
  const against = flags.against.map(createRunningTarget);
  const targets = [...known.slice(0, -1), ...against, ...known.slice(-1)];
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')));
  // What this process does itself, a few rows, is the generator's part.
  pinThisProcess(flags.generatorCore);
  const startedAt = new Date();
  const { repeats, seconds, scale, serverCore, generatorCore } = flags;
  const outcomes = await measureRows(
    flags.rows,
    targets,
    { repeats, seconds, scale, serverCore, generatorCore, signal: interrupt.signal },
    {
      onRow: ({ id }, { name }) => console.error(`${id}: ${name}`),
      onOutcome: (outcome) => console.error(formatOutcome(outcome, [outcome]).join('\n')),
    },
  );
  const context = describeRun(flags, outcomes);
  console.log(formatReport(context, outcomes));
  const name = `${startedAt.toISOString().slice(0, 16).replaceAll(':', '')}-${commitName()}`;
  console.error(`written to ${await writeResults(flags.results, name, context, outcomes)}`);
  if (!isAllReached(outcomes)) process.exitCode = 1;
}

function createTarget(name: TargetName, core: number): Target {
  switch (name) {
    case 'firnmq':
      return createFirnmqTarget(core);
    case 'rabbitmq':
      return createRabbitmqTarget(core);
    case 'bare':
      return createBareTarget(core);
    case 'stand-in':
      return createStandInTarget(core);
  }
}

function describeRun(flags: NumbersFlags, outcomes: readonly RowOutcome[]): string[] {
  const products = new Map(
    outcomes
      .filter(({ product }) => product !== '')
      .map(({ contestant, product }) => [contestant.target.name, product]),
  );
  const scale = flags.scale === 1 ? '' : `; sizes are ${flags.scale} of what the titles say`;
  return [
    ...describeMachine(),
    `brokers: ${[...products].map(([name, product]) => `${name} = ${product}`).join('; ')}`,
    `${flags.repeats} runs of ${flags.seconds} s each, sustained ones 12 times as long${scale}`,
    `all threads of a broker on core ${flags.serverCore}, the generator on core ${flags.generatorCore}`,
  ];
}

function targetsOption(): Option {
  const targets: readonly TargetName[] = isRabbitmqInstalled()
    ? ['firnmq', 'rabbitmq']
    : ['firnmq'];
  return new Option('--targets <names>', `commas between: ${TARGET_NAMES.join(', ')}`)
    .argParser(toTargets)
    .default(targets, targets.join(','));
}

function rowsOption(): Option {
  const ids = ROWS.map(({ id }) => id).join(', ');
  return new Option('--rows <patterns>', `ids with * for anything, commas between: ${ids}`)
    .argParser(toRows)
    .default(ROWS, 'all');
}

function toTargets(text: string): TargetName[] {
  return text.split(',').map((name) => {
    const found = TARGET_NAMES.find((known) => known === name);
    if (found === undefined)
      throw new InvalidArgumentError(`Known are ${TARGET_NAMES.join(', ')}.`);
    return found;
  });
}

function toRows(text: string): Row[] {
  const patterns = text.split(',').map((word) => ({ word, pattern: toPattern(word) }));
  const unused = patterns.find(({ pattern }) => !ROWS.some(({ id }) => pattern.test(id)));
  if (unused !== undefined) {
    const known = ROWS.map(({ id }) => id).join(', ');
    throw new InvalidArgumentError(`No row is ${unused.word}; known are ${known}.`);
  }
  return ROWS.filter(({ id }) => patterns.some(({ pattern }) => pattern.test(id)));
}

function toPattern(word: string): RegExp {
  const literal = word.split('*').map((part) => part.replaceAll(/[^\w-]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`);
}

function toSeconds(text: string): number {
  const seconds = parseAmount(text);
  if (seconds === 0) throw new InvalidArgumentError('It must be more than 0.');
  return seconds;
}
