/** `firnmqperf fairness`: what those wait who ask little of a busy server. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseAmount, parseCount } from '../parse-numbers.ts';
import { canPinTo, pinThisProcess } from '../targets/pinned-process.ts';
import {
  type FairnessOutcome,
  isFair,
  LOOP_P99_MS_MAX,
  measureScenario,
  SHARE_MIN,
  WAIT_MS_MAX,
} from './measure-scenario.ts';
import { FAIRNESS_SCENARIOS, type FairnessScenario } from './scenarios.ts';

interface FairnessFlags {
  readonly only: readonly FairnessScenario[];
  readonly seconds: number;
  readonly scale: number;
  readonly serverCore: number;
  readonly loadCore: number;
}

/** Adds the command to `program`. */
export function addFairnessCommand(program: Command): void {
  program
    .command('fairness')
    .description('what clients wait that ask little of a busy server; prints a Markdown table')
    .addOption(onlyOption())
    .option('-z, --seconds <seconds>', 'length of a scenario', parseAmount, 10)
    .option('--scale <factor>', 'of connections and waiting messages', parseAmount, 1)
    .option('--server-core <number>', 'core of the server, all its threads', parseCount, 0)
    .option('--load-core <number>', 'core of all others', parseCount, 1)
    .action(runCommand);
}

function onlyOption(): Option {
  const ids = FAIRNESS_SCENARIOS.map(({ id }) => id).join(', ');
  return new Option('--only <ids>', `commas between: ${ids}`)
    .argParser(toScenarios)
    .default(FAIRNESS_SCENARIOS, 'all');
}

function toScenarios(text: string): readonly FairnessScenario[] {
  return text.split(',').map((id) => {
    const found = FAIRNESS_SCENARIOS.find((scenario) => scenario.id === id);
    if (found === undefined) throw new InvalidArgumentError(`There is no scenario '${id}'.`);
    return found;
  });
}

async function runCommand(flags: FairnessFlags): Promise<void> {
  const { seconds, scale, serverCore, loadCore } = flags;
  const isPinned = canPinTo(serverCore) && canPinTo(loadCore);
  if (isPinned) pinThisProcess(loadCore);
  const cores = isPinned ? { server: serverCore, load: loadCore } : { server: null, load: null };
  console.log(
    `| scenario | messages | p50 ms | p99 ms | longest ms (${WAIT_MS_MAX}) ` +
      `| longest while cold ms | loop p99 ms (${LOOP_P99_MS_MAX}) | loop longest ms | least share (${SHARE_MIN}) | |`,
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  let areFair = true;
  for (const scenario of flags.only) {
    const settings = { durationMs: seconds * 1000, scale, cores };
    const outcome = await measureScenario(scenario, settings);
    console.log(formatOutcome(outcome));
    areFair &&= isFair(outcome);
  }
  if (!areFair) process.exitCode = 1;
}

/** One row of the table. */
export function formatOutcome(outcome: FairnessOutcome): string {
  const { scenario, waits, coldMaxMs, loop, leastShare } = outcome;
  const cells = [
    scenario.title,
    waits.count,
    waits.p50Ms.toFixed(2),
    waits.p99Ms.toFixed(1),
    waits.maxMs.toFixed(1),
    coldMaxMs.toFixed(1),
    loop.p99Ms.toFixed(1),
    loop.maxMs.toFixed(1),
    leastShare?.toFixed(2) ?? '',
    isFair(outcome) ? 'fair' : 'unfair',
  ];
  return `| ${cells.join(' | ')} |`;
}
