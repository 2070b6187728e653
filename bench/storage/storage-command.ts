/** `firnmqperf storage`: what the storage promises, measured on this server from outside. */
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { describeMachine } from '../numbers/describe-machine.ts';
import { parseAmount, parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { canPinTo, pinThisProcess } from '../targets/pinned-process.ts';
import { isInMemory } from './disk-use.ts';
import { measureRows, type RowOutcome } from './measure-rows.ts';
import { formatOutcome, formatStorageReport, isAllReached } from './storage-report.ts';
import type { StorageRow } from './storage-row.ts';
import { STORAGE_ROWS } from './storage-rows.ts';

interface StorageFlags {
  readonly rows: readonly StorageRow[];
  readonly scale: number;
  readonly repeats: number;
  readonly rest: number;
  readonly settle: number;
  readonly timeLimit: number;
  readonly directory: string;
  readonly serverCore: number;
  readonly generatorCore: number;
  readonly json?: string;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60_000;

/** Adds the command to `program`. */
export function addStorageCommand(program: Command): void {
  addRowsCommand(program, 'storage', 'measure what the storage promises', STORAGE_ROWS);
}

/** Adds a command that measures rows and prints them as a Markdown table. */
export function addRowsCommand(
  program: Command,
  name: string,
  description: string,
  rows: readonly StorageRow[],
): void {
  program
    .command(name)
    .description(`${description}; prints a Markdown table`)
    .addOption(rowsOption(rows))
    .option('--scale <factor>', 'of messages and body sizes; less than 1 to try', parseScale, 1)
    .option('--repeats <count>', 'samples of a figure', parsePositiveCount, 3)
    .option('--rest <seconds>', 'rest before memory is read', parseAmount, 10)
    .option('--settle <seconds>', 'at most so long until the disk use settles', parseAmount, 30)
    .option('--time-limit <minutes>', 'rows that have not begun then fail', parseAmount, 12)
    .option('--directory <path>', 'where the data directories are made', tmpdir())
    .option('--server-core <number>', 'core of the server, all its threads', parseCount, 0)
    .option('--generator-core <number>', 'core of the generator', parseCount, 1)
    .option('--json <file>', 'write every sample there')
    .action(runCommand);
}

async function runCommand(flags: StorageFlags): Promise<void> {
  const isPinned = canPinTo(flags.serverCore) && canPinTo(flags.generatorCore);
  if (isPinned) pinThisProcess(flags.generatorCore);
  await mkdir(flags.directory, { recursive: true });
  const interrupt = new AbortController();
  // Servers and gigabytes of files would outlive it.
  for (const signal of SIGNALS) process.once(signal, () => interrupt.abort());
  const outcomes = await measureRows(
    flags.rows,
    {
      scale: flags.scale,
      repeats: flags.repeats,
      parentDirectory: flags.directory,
      serverCore: isPinned ? flags.serverCore : null,
      generatorCore: isPinned ? flags.generatorCore : null,
      restMs: flags.rest * MS_PER_SECOND,
      settleMs: flags.settle * MS_PER_SECOND,
    },
    {
      timeLimitMs: flags.timeLimit * MS_PER_MINUTE,
      signal: interrupt.signal,
      onRow: (row) => console.error(`${row.id}: ${row.title} ...`),
      onOutcome: (outcome) => {
        for (const line of formatOutcome(outcome)) console.error(line);
        console.error(`${outcome.row.id}: ${outcome.seconds.toFixed(0)} s`);
      },
    },
  );
  console.log(formatStorageReport(await describeRun(flags, isPinned), outcomes));
  if (flags.json !== undefined) await writeFile(flags.json, toJson(outcomes));
  if (!isAllReached(outcomes)) process.exitCode = 1;
}

async function describeRun(flags: StorageFlags, isPinned: boolean): Promise<string[]> {
  const cores = isPinned
    ? `server on core ${flags.serverCore}, generator on core ${flags.generatorCore}`
    : 'neither server nor generator kept to a core: taskset cannot do it here';
  const lines = [
    ...describeMachine(),
    `${flags.repeats} repeats (median, smallest to largest); ${cores}`,
  ];
  if (flags.scale !== 1) lines.push(`IN ${flags.scale} OF THE SIZES THAT THE ROWS NAME`);
  if (await isInMemory(flags.directory)) {
    lines.push(`${flags.directory} lies in memory: syncs cost nothing there`);
  }
  return lines;
}

function toJson(outcomes: readonly RowOutcome[]): string {
  const plain = outcomes.map(({ row, figures, seconds, failure, skipped }) => ({
    row: row.id,
    seconds,
    failure,
    skipped,
    figures: figures.map(({ what, unit, goal, values, verdict, remarks }) => ({
      what,
      unit,
      goal,
      values,
      verdict,
      remarks,
    })),
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

function parseScale(text: string): number {
  const scale = parseAmount(text);
  if (scale === 0) throw new InvalidArgumentError('It must be more than 0.');
  return scale;
}

function rowsOption(rows: readonly StorageRow[]): Option {
  const ids = rows.map(({ id }) => id).join(', ');
  return new Option('--rows <ids>', `commas between: ${ids}`)
    .argParser(rowsAmong(rows))
    .default(rows, 'all');
}

function rowsAmong(rows: readonly StorageRow[]): (text: string) => StorageRow[] {
  return (text) =>
    text.split(',').map((id) => {
      const found = rows.find((row) => row.id === id);
      if (found === undefined) {
        throw new InvalidArgumentError(`Known are ${rows.map((row) => row.id).join(', ')}.`);
      }
      return found;
    });
}
