/** Checks one vhost's folder: every checksum, the chain of segments, and that what checkpoints name is there. */
import { join } from 'node:path';
import { ASIDE_FOLDER } from '../storage/aside.ts';
import { checkpointNumberOf, decodeCheckpoint } from '../storage/checkpoint-format.ts';
import {
  CHUNK_FOLDER,
  CHUNK_HEADER_SIZE,
  chunkFileName,
  decodeChunkHeader,
  queueOfChunkFile,
} from '../storage/chunk-file-format.ts';
import { DEFINITIONS_FILE, decodeDefinitions } from '../storage/definitions-format.ts';
import type { FileSystem } from '../storage/fs.ts';
import { positionAt, segmentOf } from '../storage/position.ts';
import { largeReferenceAt } from '../storage/record-format.ts';
import { readDefinitionView } from './definition-view.ts';
import { DumpFile } from './dump-file.ts';
import type { Finding } from './finding.ts';
import { findBodyProblem, largePathOf } from './large-body-check.ts';
import { readRecord } from './message-export.ts';
import { type NamedSlot, namedSlots, offsetOfSlot, problemOfSlot } from './named-slots.ts';
import { type OfflineVhost, openOfflineVhost } from './offline-vhost.ts';
import { nameAt, SegmentMap, type SegmentReport } from './segment-map.ts';
import { ShadowFileSystem } from './shadow-fs.ts';

/** A queue as a start would find it. */
export interface QueueSummary {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
}

/** What was found in a vhost's folder. */
export interface VhostReport {
  readonly findings: readonly Finding[];
  /** What is worth knowing and no damage. */
  readonly notes: readonly Finding[];
  readonly queues: readonly QueueSummary[];
  /** Whether the server stopped in order. */
  readonly clean: boolean;
  readonly segmentCount: number;
  readonly segmentBytes: number;
}

/** Names of files that were not finished. */
const UNFINISHED = /\.tmp$/;

/** Checks the vhost `name` in `directory`; nothing in it is changed. */
export async function verifyVhost(
  fs: FileSystem,
  directory: string,
  name: string,
): Promise<VhostReport> {
  const shadow = new ShadowFileSystem(fs, (path) => path.includes(`/${ASIDE_FOLDER}/`));
  const offline = openOfflineVhost(shadow, directory, name);
  try {
    const check = new VhostCheck(fs, shadow, directory, offline);
    return await check.run();
  } finally {
    offline.close();
  }
}

class VhostCheck {
  private readonly fs: FileSystem;
  /** The files as a start would leave them. */
  private readonly shadow: ShadowFileSystem;
  private readonly directory: string;
  private readonly offline: OfflineVhost;
  private readonly findings: Finding[];
  private readonly notes: Finding[];

  constructor(fs: FileSystem, shadow: ShadowFileSystem, directory: string, offline: OfflineVhost) {
    this.fs = fs;
    this.shadow = shadow;
    this.directory = directory;
    this.offline = offline;
    this.findings = [];
    this.notes = [];
  }

  async run(): Promise<VhostReport> {
    const { recovered, problems, queues } = this.offline;
    const map = await SegmentMap.read(this.fs, this.directory);
    for (const segment of map.segments) this.checkSegment(segment);
    this.checkChain(map.segments);
    for (const name of this.fs.list(this.directory)) this.checkFile(name);
    this.checkChunkFiles();
    this.checkPositions(map);
    await this.checkLargeBodies(map);
    this.addRecoveryDamage();
    for (const reason of problems) this.find('', null, reason);
    return {
      findings: this.findings,
      notes: this.notes,
      queues: queues.map(({ name, index }) => ({
        name,
        messages: index.readyCount,
        bytes: index.readyBytes,
      })),
      clean: recovered.clean,
      segmentCount: map.segments.length,
      segmentBytes: map.segments.reduce((sum, { size }) => sum + size, 0),
    };
  }

  private find(name: string, offset: number | null, reason: string): void {
    this.findings.push({ path: join(this.directory, name), offset, reason });
  }

  private note(name: string, offset: number | null, reason: string): void {
    this.notes.push({ path: join(this.directory, name), offset, reason });
  }

  /** Nobody was promised anything of what a start cuts off. */
  private checkSegment(segment: SegmentReport): void {
    const { name, size, headerProblem, invalid, partProblems } = segment;
    const unsynced = 'was never synced: a start cuts it off';
    if (headerProblem !== null) {
      if (this.sizeAfterStart(name) > 0) this.find(name, 0, headerProblem);
      else this.note(name, 0, `${headerProblem}; the file ${unsynced}`);
    }
    for (const problem of partProblems) this.find(problem.name, 0, problem.reason);
    for (const { from, to } of invalid) {
      const file = nameAt(segment, from);
      const isKept = from < this.sizeAfterStart(file);
      if (isKept) this.find(file, from, `bytes ${from} to ${to} are damaged`);
      else this.note(file, from, `what follows, up to ${size}, ${unsynced}`);
    }
  }

  private sizeAfterStart(name: string): number {
    if (!this.shadow.list(this.directory).includes(name)) return 0;
    const file = this.shadow.openForReading(join(this.directory, name));
    try {
      return file.size();
    } finally {
      file.close();
    }
  }

  /** A segment says where the log left the one before it. */
  private checkChain(segments: readonly SegmentReport[]): void {
    const byNumber = new Map(segments.map((segment) => [segment.number, segment]));
    for (const { name, header, headerProblem, number } of segments) {
      if (header === null || headerProblem !== null) continue;
      const before = byNumber.get(segmentOf(header.previousEnd));
      // One that is gone was no longer needed; recovery knows those that are.
      if (before === undefined || before.header === null || before.number === number) continue;
      const missing = header.previousEnd - positionAt(before.number, before.end);
      if (missing > 0 && this.sizeAfterStart(name) > 0) {
        this.find(before.name, before.end, `the last ${missing} bytes are missing, says ${name}`);
      }
    }
  }

  private checkFile(name: string): void {
    if (checkpointNumberOf(name) >= 0) this.checkCheckpoint(name);
    else if (name === DEFINITIONS_FILE) this.checkDefinitions();
    else if (name === ASIDE_FOLDER) {
      const count = this.fs.list(join(this.directory, name)).length;
      this.note(name, null, `${count} files that an earlier start cut off or found damaged`);
    } else if (UNFINISHED.test(name)) {
      this.note(name, null, 'an unfinished file, which nothing reads');
    }
  }

  private checkCheckpoint(name: string): void {
    const bytes = this.fs.readFile(join(this.directory, name)) ?? Buffer.alloc(0);
    const checkpoint = decodeCheckpoint(bytes);
    if (typeof checkpoint === 'string') this.find(name, 0, checkpoint);
  }

  private checkDefinitions(): void {
    const bytes = this.fs.readFile(join(this.directory, DEFINITIONS_FILE)) ?? Buffer.alloc(0);
    const file = decodeDefinitions(bytes);
    if (typeof file === 'string') {
      this.find(DEFINITIONS_FILE, 0, file);
      return;
    }
    for (const reason of file.damage) this.find(DEFINITIONS_FILE, null, reason);
    for (const { frame } of file.definitions) {
      const { problem } = readDefinitionView(frame);
      if (problem !== null) this.find(DEFINITIONS_FILE, null, problem);
    }
  }

  /** The slots that checkpoints name must have the positions whose checksum stands there. */
  private checkChunkFiles(): void {
    const folder = join(this.directory, CHUNK_FOLDER);
    const names = new Set(this.fs.list(folder));
    const slots = namedSlots(this.fs, this.directory);
    for (const queue of slots.keys()) {
      const name = chunkFileName(queue);
      if (!names.has(name)) this.find(join(CHUNK_FOLDER, name), null, 'the file is missing');
    }
    for (const name of names) {
      const queue = queueOfChunkFile(name);
      if (queue < 0) {
        this.note(
          join(CHUNK_FOLDER, name),
          null,
          'a file that is no chunk file, which nothing reads',
        );
        continue;
      }
      this.checkChunkFile(join(CHUNK_FOLDER, name), queue, slots.get(queue) ?? []);
    }
  }

  private checkChunkFile(name: string, queue: number, slots: readonly NamedSlot[]): void {
    const file = new DumpFile(this.fs, join(this.directory, name));
    try {
      const header = decodeChunkHeader(file.read(0, CHUNK_HEADER_SIZE));
      if (typeof header === 'string') this.find(name, 0, header);
      else if (header.queue !== queue) {
        this.find(name, 0, `it is of the queue number ${header.queue}`);
      }
      for (const named of slots) {
        const problem = problemOfSlot(file, named);
        if (problem !== null) this.find(name, offsetOfSlot(named.slot, named.rowEntries), problem);
      }
    } finally {
      file.close();
    }
  }

  /** Every message that a queue would have must lie in a batch whose checksum is right. */
  private checkPositions(map: SegmentMap): void {
    for (const { name, index } of this.offline.queues) {
      let lost = 0;
      index.forEachUnsettled((_sequence, position) => {
        if (!map.holds(position)) lost++;
      });
      if (lost > 0) this.find('', null, `queue '${name}': ${lost} messages cannot be read`);
    }
  }

  /** Each large body must be as the record says that names it. */
  private async checkLargeBodies(map: SegmentMap): Promise<void> {
    const checked = new Set<number>();
    for (const { index } of this.offline.queues) {
      for (const [sequence, file] of index.large ?? []) {
        const position = index.positionOf(sequence);
        if (checked.has(file) || position < 0 || !map.holds(position)) continue;
        checked.add(file);
        await this.checkLargeBody(position);
      }
    }
  }

  private async checkLargeBody(position: number): Promise<void> {
    const block = await readRecord(this.offline.store, position);
    if (block === null) return;
    const body = largeReferenceAt(block.area.view, position - block.start);
    const problem = findBodyProblem(this.fs, this.directory, body);
    const path = largePathOf(this.directory, body);
    if (problem !== null) this.findings.push({ path, offset: null, reason: problem });
  }

  /** What recovery found and the checks above did not. */
  private addRecoveryDamage(): void {
    const told = new Set(this.findings.map(({ path }) => path));
    for (const { path, reason } of this.offline.recovered.damage) {
      if (!told.has(path)) this.findings.push({ path, offset: null, reason });
    }
  }
}
