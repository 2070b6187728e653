/**
 * Carries out one of the commands beside the server: to its output, and to an exit code.
 *
 * 0: all is well. 1: something is damaged, or could not be read. 2: nothing was looked at, since the command was used
 * wrongly.
 */
import { basename, dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { isAppError } from '../base/app-error.ts';
import { OutputClosedError, StreamSink } from '../base/text-sink.ts';
import type { ToolCommand } from '../config/tool-command.ts';
import { realFileSystem } from '../storage/fs.ts';
import { dump } from './dump.ts';
import { FileSink } from './file-sink.ts';
import { recoverMessages } from './recover.ts';
import { ToolUsageError } from './tool-usage-error.ts';
import { verify } from './verify.ts';

/** Runs a command over the machine's own files; resolves to the exit code. */
export async function runTool(
  command: ToolCommand,
  stdout: Writable,
  stderr: Writable,
): Promise<number> {
  const output = new StreamSink(stdout);
  const errors = new StreamSink(stderr);
  try {
    const code = await run(command, output, errors);
    await output.flush();
    await errors.flush();
    return code;
  } catch (error) {
    if (error instanceof OutputClosedError) return 1;
    if (!isAppError(error)) throw error;
    await output.flush();
    errors.write(`error: ${error.message}\n`);
    await errors.flush();
    return error instanceof ToolUsageError ? 2 : 1;
  }
}

async function run(command: ToolCommand, output: StreamSink, errors: StreamSink): Promise<number> {
  switch (command.name) {
    case 'dump':
      return codeOf(await dump(realFileSystem, command.files, output, command));
    case 'verify':
      return codeOf(await verify(realFileSystem, resolve(command.directory), output));
    case 'recover':
      return codeOf(await recover(command, output, errors));
  }
}

function codeOf(problems: number): number {
  return problems === 0 ? 0 : 1;
}

/** The report goes to standard error: standard output may be where the messages go. */
async function recover(
  { directory, exportPath }: Extract<ToolCommand, { name: 'recover' }>,
  output: StreamSink,
  report: StreamSink,
): Promise<number> {
  const from = resolve(directory);
  if (exportPath === '-')
    return recoverMessages(realFileSystem, from, { messages: output, report });
  const path = resolve(exportPath);
  if (path.startsWith(`${from}/`)) {
    throw new ToolUsageError(`${path} lies in the directory that is to be recovered`);
  }
  if (realFileSystem.list(dirname(path)).includes(basename(path))) {
    throw new ToolUsageError(`${path} exists already`);
  }
  const messages = new FileSink(realFileSystem, path);
  try {
    const problems = await recoverMessages(realFileSystem, from, { messages, report });
    await messages.finish();
    return problems;
  } finally {
    messages.close();
  }
}
