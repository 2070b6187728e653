/** `firnmq verify DIR`: checks a data directory, and says which queues and messages a start would find. */
import type { TextSink } from '../base/text-sink.ts';
import type { FileSystem } from '../storage/fs.ts';
import { type Finding, textOfFinding } from './finding.ts';
import { openOfflineDirectory, type VhostFolder } from './offline-directory.ts';
import { type VhostReport, verifyVhost } from './verify-vhost.ts';

/**
 * Checks a data directory that no server works on.
 *
 * @returns how many things are not as they must be; each has been told in a line
 * @throws ToolUsageError when there is no such directory, or a server works on it
 * @throws ForeignFormatError when another version wrote anything in it
 */
export async function verify(fs: FileSystem, directory: string, sink: TextSink): Promise<number> {
  const { vhosts, findings, isEmpty } = await openOfflineDirectory(fs, directory);
  let count = 0;
  const tell = (finding: Finding) => {
    count++;
    sink.write(`${textOfFinding(finding)}\n`);
  };
  for (const finding of findings) tell(finding);
  if (isEmpty) sink.write(`note: ${directory}: there is no vhosts.json: no server has run here\n`);
  const summaries: string[] = [];
  for (const folder of vhosts) {
    if (!folder.isKnown) {
      tell({ path: folder.directory, offset: null, reason: 'vhosts.json names no vhost for it' });
    }
    const report = await verifyVhost(fs, folder.directory, folder.name);
    for (const finding of report.findings) tell(finding);
    for (const note of report.notes) sink.write(`note: ${textOfFinding(note)}\n`);
    summaries.push(...summaryOf(folder, report));
    await sink.drained();
  }
  for (const line of summaries) sink.write(`${line}\n`);
  sink.write(count === 0 ? 'all is well\n' : `${count} ${count === 1 ? 'finding' : 'findings'}\n`);
  return count;
}

function summaryOf(folder: VhostFolder, report: VhostReport): readonly string[] {
  const { queues, clean, segmentCount, segmentBytes } = report;
  const sum = (value: (queue: VhostReport['queues'][number]) => number) =>
    queues.reduce((total, queue) => total + value(queue), 0);
  const messages = sum((queue) => queue.messages);
  const bytes = sum((queue) => queue.bytes);
  const end = clean ? 'stopped in order' : 'not stopped in order';
  return [
    `vhost ${JSON.stringify(folder.name)}: ${queues.length} queues, ${messages} messages with ${bytes} bytes; ` +
      `${segmentCount} segments with ${segmentBytes} bytes, ${end}`,
    ...queues.map(
      (queue) =>
        `  queue ${JSON.stringify(queue.name)}: ${queue.messages} messages with ${queue.bytes} bytes`,
    ),
  ];
}
