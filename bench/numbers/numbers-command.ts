/** `firnmqperf numbers`: this server beside others, each on one core, the generator on another. */
import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { createFirnmqTarget } from '../targets/firnmq-target.ts';
import { createRabbitmqTarget, isRabbitmqInstalled } from '../targets/rabbitmq-target.ts';
import { createRunningTarget } from '../targets/running-target.ts';
import { createStandInTarget } from '../targets/stand-in-target.ts';
import type { Target } from '../targets/target.ts';
import { describeMachine } from './describe-machine.ts';
import { measureTarget, type TargetSamples } from './measure-target.ts';
import { formatReport } from './report.ts';
import { ROWS, type Row } from './rows.ts';

const TARGET_NAMES = ['firnmq', 'stand-in', 'rabbitmq'] as const;
type TargetName = (typeof TARGET_NAMES)[number];

interface NumbersFlags {
  readonly targets: readonly TargetName[];
  readonly against: readonly string[];
  readonly rows: readonly Row[];
  readonly repeats: number;
  readonly seconds: number;
  readonly serverCore: number;
  readonly generatorCore: number;
  readonly json?: string;
}

/** Adds the command to `program`. */
export function addNumbersCommand(program: Command): void {
  program
    .command('numbers')
    .description('compare brokers row by row; prints a Markdown table')
    .option('--targets <names>', TARGET_NAMES.join(','), toTargets, defaultTargets())
    .option('--against <uri...>', 'brokers that run already, measured before the last target', [])
    .option('--rows <ids>', ROWS.map((row) => row.id).join(','), toRows, ROWS)
    .option('--repeats <count>', 'runs of every row', parsePositiveCount, 5)
    .option('--seconds <count>', 'length of a run', parsePositiveCount, 5)
    .option('--server-core <number>', 'core of the broker, all its threads', parseCount, 0)
    .option('--generator-core <number>', 'core of the generator', parseCount, 1)
    .option('--json <file>', 'write every single measurement there')
    .action(runCommand);
}

async function runCommand(flags: NumbersFlags): Promise<void> {
  const known = flags.targets.map((name) => createTarget(name, flags.serverCore));
  const against = flags.against.map(createRunningTarget);
  const targets = [...known.slice(0, -1), ...against, ...known.slice(-1)];
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')));
  const measured: TargetSamples[] = [];
  for (const target of targets) {
    const samples = await measureTarget(target, flags.rows, {
      repeats: flags.repeats,
      seconds: flags.seconds,
      generatorCore: flags.generatorCore,
      signal: interrupt.signal,
      onStep: (text) => console.error(text),
    });
    measured.push(samples);
  }
  console.log(formatReport(describeRun(flags, measured), flags.rows, measured));
  if (flags.json !== undefined) {
    const plain = measured.map((samples) => ({
      ...samples,
      runs: Object.fromEntries(samples.runs),
    }));
    await writeFile(flags.json, `${JSON.stringify(plain, null, 2)}\n`);
  }
}

function createTarget(name: TargetName, core: number): Target {
  switch (name) {
    case 'firnmq':
      return createFirnmqTarget(core);
    case 'rabbitmq':
      return createRabbitmqTarget(core);
    case 'stand-in':
      return createStandInTarget(core);
  }
}

function describeRun(flags: NumbersFlags, measured: readonly TargetSamples[]): string[] {
  return [
    ...describeMachine(),
    `brokers: ${measured.map(({ name, broker }) => `${name} = ${broker}`).join('; ')}`,
    `${flags.repeats} runs of ${flags.seconds} s each; broker on core ${flags.serverCore}, generator on core ${flags.generatorCore}`,
  ];
}

function defaultTargets(): readonly TargetName[] {
  return isRabbitmqInstalled() ? ['firnmq', 'rabbitmq'] : ['firnmq'];
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
  return text.split(',').map((id) => {
    const found = ROWS.find((row) => row.id === id);
    if (found === undefined) {
      throw new InvalidArgumentError(`Known are ${ROWS.map((row) => row.id).join(', ')}.`);
    }
    return found;
  });
}
