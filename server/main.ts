#!/usr/bin/env node
/**
 * The process: command line -> Config -> launcher -> signals -> exit codes; or -> one of the tools.
 *
 * Exit codes: 0 after help, version and a polite stop; 1 when the server cannot start, when it breaks, or
 * at a second signal; 2 when the command line is wrong; 3 when it stopped, but the disk refused to the end; those of a
 * tool are in tools/run-tool.ts. What is not needed to find out that much is imported afterwards.
 */
import { isAppError } from './base/app-error.ts';
import { parseCommandLine } from './config/command-line.ts';
import type { Config } from './config/config.ts';
import type { ToolCommand } from './config/tool-command.ts';
import { openLogOutput } from './telemetry/log-output.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';

/** After a stop whose last writes the disk refused: what was acked last may come back. */
const EXIT_UNSTABLE = 3;

async function main(): Promise<void> {
  const result = parseCommandLine(process.argv.slice(2), process.env);
  switch (result.kind) {
    case 'print':
      process.stdout.write(result.text);
      break;
    case 'error':
      process.stderr.write(result.text);
      process.exitCode = 2;
      break;
    case 'run':
      await run(result.config);
      break;
    case 'tool':
      process.exitCode = await runCommand(result.command);
      break;
  }
}

async function runCommand(command: ToolCommand): Promise<number> {
  const { runTool } = await import('./tools/run-tool.ts');
  return runTool(command, process.stdout, process.stderr);
}

async function run(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, output: await openLogOutput(1) });
  exitWhenBroken(logger);
  const firstSignal = waitForSignal(logger);
  process.exit(await serve(config, logger, firstSignal));
}

/** Runs the server from start to stop; resolves to the exit code. A signal during the start waits for its end. */
async function serve(
  config: Config,
  logger: Logger,
  firstSignal: Promise<NodeJS.Signals>,
): Promise<number> {
  try {
    const { startServer } = await import('./launcher.ts');
    const server = await startServer(config, logger);
    const signal = await firstSignal;
    logger.info({ event: 'server.stop', signal }, 'the server stops');
    const isStable = await server.stop(`received ${signal}`);
    return isStable ? 0 : EXIT_UNSTABLE;
  } catch (error) {
    logFailure(logger, error);
    return 1;
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

/** A state that nobody foresaw is not served from: what was confirmed is on the disk, and a restart finds it. */
function exitWhenBroken(logger: Logger): void {
  const onBroken = (error: unknown) => {
    logger.fatal({ event: 'server.crash', err: error }, 'the server breaks off');
    process.exit(1);
  };
  process.on('uncaughtException', onBroken);
  process.on('unhandledRejection', onBroken);
}

await main();
