/**
 * The process: command line, file, environment -> Config -> launcher -> signals -> exit codes; or -> one of the tools.
 *
 * Exit codes: 0 after help, version, a configuration that was found right or printed, and a polite stop; 1 when the
 * server cannot start, when it breaks, or at a second signal; 2 when command line, file or environment are wrong;
 * 3 when it stopped, but the disk refused to the end; those of a tool are in tools/run-tool.ts. What is not needed to
 * find out that much is imported afterwards.
 */
import { isAppError } from './base/app-error.ts';
import type { Config } from './config/config.ts';
import { linesOf, readStartCommand, type StartCommand } from './config/start-command.ts';
import type { ToolCommand } from './config/tool-command.ts';
import type { RunningServer } from './launcher.ts';
import { type LogTarget, openLogOutput } from './telemetry/log-output.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';

/** After a stop whose last writes the disk refused: what was acked last may come back. */
const EXIT_UNSTABLE = 3;

/** Does what the command line asks for; when the server stops, the process ends. */
export async function runProgram(): Promise<void> {
  const start = readStartCommand(process.argv.slice(2), process.env, process.cwd());
  switch (start.kind) {
    case 'print':
      process.stderr.write(linesOf('warning', start.warnings));
      process.stdout.write(start.text);
      break;
    case 'error':
      process.stderr.write(start.text);
      process.exitCode = 2;
      break;
    case 'run':
      await run(start);
      break;
    case 'tool':
      process.exitCode = await runCommand(start.command);
      break;
  }
}

async function runCommand(command: ToolCommand): Promise<number> {
  const { runTool } = await import('./tools/run-tool.ts');
  return runTool(command, process.stdout, process.stderr);
}

async function run(start: StartCommand & { readonly kind: 'run' }): Promise<void> {
  const { config } = start;
  const logger = await openLog(config);
  if (logger === null) return;
  logConfiguration(logger, start);
  exitWhenBroken(logger);
  const firstSignal = waitForSignal(logger);
  const started = reloadOnHangup();
  process.exit(await serve(config, logger, firstSignal, started));
}

/** Runs the server from start to stop; resolves to the exit code. A signal during the start waits for its end. */
async function serve(
  config: Config,
  logger: Logger,
  firstSignal: Promise<NodeJS.Signals>,
  started: (server: RunningServer) => void,
): Promise<number> {
  try {
    const { startServer } = await import('./launcher.ts');
    const server = await startServer(config, logger);
    started(server);
    const signal = await firstSignal;
    logger.info({ event: 'server.stop', signal }, 'the server stops');
    const isStable = await server.stop(`received ${signal}`);
    return isStable ? 0 : EXIT_UNSTABLE;
  } catch (error) {
    logFailure(logger, error);
    return 1;
  }
}

/** Opens the log; null, with a word on standard error and an exit code, when that cannot be. */
async function openLog(config: Config): Promise<Logger | null> {
  try {
    const output = await openLogOutput(config.logFilePath ?? 1);
    const logger = createLogger({ level: config.logLevel, output });
    if (config.logFilePath !== null) reopenOnHangup(output, logger);
    return logger;
  } catch (error) {
    if (!isAppError(error)) throw error;
    process.stderr.write(linesOf('error', [error.message]));
    process.exitCode = 1;
    return null;
  }
}

/** A hangup is how programs that rename logs ask for a new one. */
function reopenOnHangup(output: LogTarget, logger: Logger): void {
  process.on('SIGHUP', () => {
    try {
      output.reopen();
      logger.info({ event: 'log.reopen' }, 'the log goes on in a new file');
    } catch (err) {
      logger.error({ event: 'log.fail', err }, 'the log goes on in the old file');
    }
  });
}

function logConfiguration(
  logger: Logger,
  { configPath, warnings }: StartCommand & { readonly kind: 'run' },
): void {
  if (configPath !== null) {
    logger.info({ event: 'config.load', path: configPath }, 'the configuration file is in force');
  }
  for (const reason of warnings) {
    logger.warn({ event: 'config.ignore', reason }, 'a part of the configuration is not in force');
  }
}

/** What an operator can set right is told in a sentence; anything else with its stack. */
function logFailure(logger: Logger, error: unknown): void {
  if (isAppError(error)) {
    const { code, message: reason } = error;
    logger.fatal({ event: 'server.fail', code, reason }, 'the server cannot run');
  } else {
    logger.fatal({ event: 'server.fail', err: error }, 'the server cannot run');
  }
}

/** Resolves at the first signal that asks to stop; the second one ends the process at once. */
function waitForSignal(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) {
        logger.warn({ event: 'server.abort', signal }, 'the server ends without waiting');
        process.exit(1);
      }
      isStopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/**
 * From now on a hangup asks for a reload instead of ending the process.
 *
 * @returns to be told when the server runs; what was asked for until then is done at once
 */
function reloadOnHangup(): (server: RunningServer) => void {
  let running: RunningServer | null = null;
  let isAsked = false;
  process.on('SIGHUP', () => {
    isAsked = true;
    running?.reload();
  });
  return (server) => {
    running = server;
    if (isAsked) server.reload();
  };
}

/** A state that nobody foresaw is not served from: what was confirmed is on the disk, and a restart finds it. */
function exitWhenBroken(logger: Logger): void {
  const onBroken = (error: unknown) => {
    logger.fatal({ event: 'server.crash', err: error }, 'the server breaks off');
    process.exit(1);
  };
  process.on('uncaughtException', onBroken);
  process.on('unhandledRejection', onBroken);
}
