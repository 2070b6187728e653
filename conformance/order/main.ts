/**
 * Random scripts of concurrent clients against a model of the queue.
 *
 *     npm run test:order -- [--seed N] [--minutes M] [--target firnmq|rabbitmq] [--url amqp://...]
 *     npm run test:order -- --replay SEED:PATH        one script again, twenty times
 *
 * Against RabbitMQ it shows that the model asks for the right things. The last line is `N passed, N failed`, counting
 * scripts.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { startFirnmq } from '../firnmq.ts';
import { startRabbitmq } from '../rabbitmq.ts';
import { brokerAt, type RunningBroker } from '../running-broker.ts';
import { isTargetName, TARGET_NAMES, type TargetName } from '../targets.ts';
import type { Scene } from './actor.ts';
import type { Login } from './order-client.ts';
import { replayOrder, runOrder } from './order-run.ts';
import type { Burst } from './script.ts';

const MINUTE_MS = 60_000;
const LANES = 4;
const REPLAYS = 20;
/** Bursts up to the one that failed. */
const BURSTS_SHOWN = 12;

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly target: TargetName;
  readonly url?: string;
  readonly replay?: { readonly seed: number; readonly path: string };
}

function number(text: string): number {
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a number is expected');
}

function target(text: string): TargetName {
  if (isTargetName(text)) return text;
  throw new InvalidArgumentError(`there are ${TARGET_NAMES.join(', ')}`);
}

function place(text: string): { seed: number; path: string } {
  const match = /^(-?\d+):([\d:]+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('SEED:PATH is expected');
  return { seed: Number(match[1]), path: match[2]! };
}

function loginAt(url: string): Login {
  const { hostname, port, username, password } = new URL(url);
  return {
    hostname,
    port: Number(port),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}

/** `3:get(queue 1, noAck true)` */
function describeStep({ actor, operation: { kind, ...args } }: Burst[number]): string {
  const details = Object.entries(args).map(([name, value]) => `${name} ${String(value)}`);
  return `${actor}:${kind}(${details.join(', ')})`;
}

async function run({ seed, minutes, replay }: Options, scene: Scene): Promise<boolean> {
  if (replay !== undefined) {
    const violation = await replayOrder(replay, REPLAYS, scene);
    console.log(violation ?? `nothing in ${REPLAYS} attempts`);
    return violation === null;
  }
  console.log(`seed ${seed}`);
  const limitMs = minutes * MINUTE_MS;
  const plan = { seed, lanes: LANES, limitMs, scriptsMax: Number.MAX_SAFE_INTEGER };
  const { scripts, bursts, failures, brokerGone } = await runOrder(plan, scene);
  for (const failure of failures) {
    console.log(`FAILED ${failure.seed}:${failure.path}: ${failure.violation}`);
    const last = Number(/burst (\d+):/.exec(failure.violation)?.[1] ?? failure.script.length);
    for (const [i, burst] of failure.script.slice(0, last).entries()) {
      if (i < last - BURSTS_SHOWN) continue;
      console.log(`  burst ${i + 1}: ${burst.map(describeStep).join('  ')}`);
    }
  }
  console.log(`${bursts} bursts of operations`);
  if (brokerGone !== null) {
    console.error(`the broker is gone, the scripts above were being played: ${brokerGone}`);
  }
  console.log(`${scripts - failures.length} passed, ${failures.length} failed`);
  return failures.length === 0;
}

async function main(): Promise<number> {
  const options = new Command('order')
    .option('--seed <n>', 'makes the same scripts again', number, randomInt(1_000_000_000))
    .option('--minutes <n>', 'how long', number, 0.5)
    .option('--target <name>', 'the broker to start', target, 'firnmq')
    .option('--url <url>', 'a broker that runs already')
    .option('--replay <seed:path>', 'one script again', place)
    .parse()
    .opts<Options>();
  // Whoever starts a broker ends it when this process exits; a signal must be such an exit.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const broker = await startBroker(options);
  const isOurs = options.target === 'firnmq';
  const login = loginAt(broker.url);
  const scene = { login, isPipelined: isOurs, tellsAllBeforeClose: isOurs };
  const isWell = await run(options, scene);
  const complaint = await broker.stop();
  if (complaint !== null) console.error(complaint);
  return isWell && complaint === null ? 0 : 1;
}

function startBroker({ url, target: name }: Options): Promise<RunningBroker> {
  if (url !== undefined) return Promise.resolve(brokerAt(url));
  return name === 'firnmq' ? startFirnmq() : startRabbitmq();
}

process.exitCode = await main();
