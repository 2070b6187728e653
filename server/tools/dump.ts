/**
 * `firnmq dump FILE ...`: any data file, readably. A damaged or cut file is printed as far as it is valid, with a line
 * for each stretch that is not.
 */
import type { TextSink } from '../base/text-sink.ts';
import { FORMAT_HEAD_SIZE, refuseForeignFormat } from '../storage/format-version.ts';
import type { FileSystem } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { BodyOptions } from './batch-printer.ts';
import { DumpFile } from './dump-file.ts';
import { DumpWriter } from './dump-output.ts';
import { printerOf } from './printers.ts';
import { ToolUsageError } from './tool-usage-error.ts';

/** How to dump. */
export interface DumpOptions extends BodyOptions {
  readonly json: boolean;
}

/**
 * Prints files.
 *
 * @returns how many damaged places were found
 * @throws ToolUsageError when a file does not exist
 * @throws StorageError when one cannot be read
 * @throws ForeignFormatError when a file is of another version
 */
export async function dump(
  fs: FileSystem,
  paths: readonly string[],
  sink: TextSink,
  options: DumpOptions,
): Promise<number> {
  const writer = new DumpWriter(sink, options.json);
  for (const path of paths) {
    const file = openFile(fs, path);
    try {
      await dumpFile(file, writer, options);
    } finally {
      file.close();
    }
  }
  return writer.problems;
}

function openFile(fs: FileSystem, path: string): DumpFile {
  try {
    return new DumpFile(fs, path);
  } catch (error) {
    const isMissing = error instanceof StorageError && error.errno === 'ENOENT';
    throw isMissing ? new ToolUsageError(`${path} does not exist`) : error;
  }
}

async function dumpFile(file: DumpFile, writer: DumpWriter, options: DumpOptions): Promise<void> {
  const head = file.read(0, FORMAT_HEAD_SIZE);
  writer.item({
    kind: 'file',
    offset: null,
    depth: 0,
    fields: { path: file.path, bytes: file.size },
  });
  refuseForeignFormat(file.path, head);
  const print = printerOf(file.name, head);
  if (print === null) {
    const what =
      file.size === 0 ? 'the file is empty' : 'this is no data file, or its start is damaged';
    writer.problem(0, 0, what);
    return;
  }
  await print(file, writer, options);
  await writer.drained();
}
