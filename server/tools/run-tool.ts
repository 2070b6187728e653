/**
 * Carries out one of the commands beside the server: to its output, and to an exit code.
 *
 * 0: all is well. 1: something is damaged, or could not be read. 2: nothing was looked at, since the command was used
 * wrongly.
 */
import type { Writable } from 'node:stream';
import { isAppError } from '../base/app-error.ts';
import { OutputClosedError, StreamSink } from '../base/text-sink.ts';
import type { ToolCommand } from '../config/tool-command.ts';
import { realFileSystem } from '../storage/fs.ts';
import { dump } from './dump.ts';
import { ToolUsageError } from './tool-usage-error.ts';
import { verify } from './verify.ts';

/** Runs a command over the machine's own files; resolves to the exit code. */
export async function runTool(
  command: ToolCommand,
  stdout: Writable,
  stderr: Writable,
): Promise<number> {
  const output = new StreamSink(stdout);
  try {
    const code = await run(command, output);
    await output.flush();
    return code;
  } catch (error) {
    if (error instanceof OutputClosedError) return 1;
    if (!isAppError(error)) throw error;
    await output.flush();
    const errors = new StreamSink(stderr);
    errors.write(`error: ${error.message}\n`);
    await errors.flush();
    return error instanceof ToolUsageError ? 2 : 1;
  }
}

async function run(command: ToolCommand, output: StreamSink): Promise<number> {
  switch (command.name) {
    case 'dump':
      return (await dump(realFileSystem, command.files, output, command)) === 0 ? 0 : 1;
    case 'verify':
      return (await verify(realFileSystem, command.directory, output)) === 0 ? 0 : 1;
    default:
      throw new ToolUsageError('not there yet');
  }
}
