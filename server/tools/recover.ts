/**
 * `firnmq recover DIR --export FILE`: saves every message that can still be read, whatever else of the directory cannot.
 *
 * The directory is mended and started in a shadow of it (mend.ts, offline-vhost.ts), so the messages are those that a
 * start would find in their queues, and those that it would have to leave out for one damaged place.
 */
import type { TextSink } from '../base/text-sink.ts';
import type { FileSystem } from '../storage/fs.ts';
import { type Finding, textOfFinding } from './finding.ts';
import { mendVhost } from './mend.ts';
import { exportQueue } from './message-export.ts';
import { openOfflineDirectory, type VhostFolder } from './offline-directory.ts';
import { openOfflineVhost } from './offline-vhost.ts';
import { SegmentMap } from './segment-map.ts';
import { ShadowFileSystem } from './shadow-fs.ts';

/** Where {@link recoverMessages} writes. */
export interface RecoverSinks {
  /** The messages, one JSON object a line. */
  readonly messages: TextSink;
  /** What was found damaged, and how many messages were saved. */
  readonly report: TextSink;
}

/**
 * Exports the messages of a data directory that no server works on.
 *
 * @returns how many things are damaged; 0: every message was exported
 * @throws ToolUsageError when there is no such directory, or a server works on it
 * @throws ForeignFormatError when another version wrote anything in it
 */
export async function recoverMessages(
  fs: FileSystem,
  directory: string,
  sinks: RecoverSinks,
): Promise<number> {
  const { vhosts, findings } = await openOfflineDirectory(fs, directory);
  const { report } = sinks;
  for (const finding of findings) report.write(`${textOfFinding(finding)}\n`);
  let damaged = findings.length;
  for (const folder of vhosts) damaged += await recoverVhost(fs, folder, sinks);
  return damaged;
}

async function recoverVhost(
  fs: FileSystem,
  { name, directory }: VhostFolder,
  { messages, report }: RecoverSinks,
): Promise<number> {
  const shadow = new ShadowFileSystem(fs, (path) => path.includes('/aside/'));
  let map = await SegmentMap.read(shadow, directory);
  const findings: Finding[] = [...mendVhost(shadow, directory, map)];
  if (findings.length > 0) map = await SegmentMap.read(shadow, directory);
  const offline = openOfflineVhost(shadow, directory, name);
  try {
    for (const { path, reason } of offline.recovered.damage) {
      findings.push({ path, offset: null, reason });
    }
    findings.push(...offline.problems.map((reason) => ({ path: directory, offset: null, reason })));
    for (const finding of findings) report.write(`${textOfFinding(finding)}\n`);
    let lost = 0;
    const context = { vhost: name, fs, directory, map, sink: messages };
    for (const queue of offline.queues) {
      const { exported, unreadable } = await exportQueue(queue, context);
      lost += unreadable;
      const rest = unreadable === 0 ? '' : `, ${unreadable} cannot be read`;
      const place = `vhost ${JSON.stringify(name)}, queue ${JSON.stringify(queue.name)}`;
      report.write(`${place}: ${exported} messages exported${rest}\n`);
      await report.drained();
    }
    for (const finding of offline.later) report.write(`${textOfFinding(finding)}\n`);
    return findings.length + offline.later.length + lost;
  } finally {
    offline.close();
  }
}
