/**
 * Names the steps of storage, as a report counts them: by what is done and to which kind of file. A step that is in
 * none of them (users and vhosts, the aside folder) is no place for a crash.
 */
import { basename, dirname } from 'node:path';
import type { SimulatedStep } from '../simulated-faults.ts';
import type { SimulatedFs, WatchedStep } from '../simulated-fs.ts';

/** A kind of file in a vhost's folder, and what its steps are called. */
interface FileKind {
  readonly pattern: RegExp;
  readonly steps: Partial<Record<SimulatedStep, string>>;
}

const FILE_KINDS: readonly FileKind[] = [
  {
    pattern: /^msgs\.\d{10}$/,
    steps: {
      write: 'batch write',
      truncate: 'laid out zeros cut off',
      sync: 'log sync',
      delete: 'segment deletion',
    },
  },
  {
    pattern: /^msgs\.\d{10}\.\d{10}(\.tmp)?$/,
    steps: {
      write: 'second file write',
      sync: 'second file sync',
      rename: 'second file rename',
      delete: 'second file deletion',
    },
  },
  {
    pattern: /^definitions\.amqp(\.tmp)?$/,
    steps: { write: 'definitions write', sync: 'definitions sync', rename: 'definitions rename' },
  },
  {
    pattern: /^checkpoint\.\d{10}(\.tmp)?$/,
    steps: {
      write: 'checkpoint write',
      sync: 'checkpoint sync',
      rename: 'checkpoint rename',
      delete: 'checkpoint deletion',
    },
  },
  {
    pattern: /^msgs\.\d{10}\.compact$/,
    steps: {
      write: 'compaction write',
      sync: 'compaction sync',
      rename: 'compaction rename',
    },
  },
  {
    pattern: /^\d{16}$/,
    steps: { write: 'large file write', sync: 'large file sync', delete: 'large file deletion' },
  },
  {
    pattern: /^\d{10}$/,
    steps: {
      write: 'chunk write',
      sync: 'chunk sync',
      truncate: 'chunk file cut',
      delete: 'chunk file deletion',
    },
  },
  {
    pattern: /^reserve(\.tmp)?$/,
    steps: {
      write: 'reserve write',
      sync: 'reserve sync',
      rename: 'reserve rename',
      delete: 'reserve given up',
    },
  },
];

/** What a sync of the folder is called by the names of the newest change in it that it saves. */
const FOLDER_SYNCS: readonly (readonly [RegExp, string])[] = [
  [/^msgs\.\d{10}\.compact$/, 'compaction folder sync'],
  [/^msgs\.\d{10}$/, 'log folder sync'],
  [/^msgs\.\d{10}\.\d{10}$/, 'second file folder sync'],
  [/^\d{16}$/, 'large folder sync'],
  [/^\d{10}$/, 'chunk folder sync'],
  [/^reserve$/, 'reserve folder sync'],
  [/^definitions\.amqp$/, 'definitions folder sync'],
  [/^checkpoint\.\d{10}$/, 'checkpoint folder sync'],
];

/** Steps of a boot; those of a run have names of their own. */
const BOOT_KINDS: Partial<Record<SimulatedStep, string>> = {
  truncate: 'recovery: cut of the log',
  sync: 'recovery: log sync',
  syncDirectory: 'recovery: folder sync',
};

/** Every kind of step of a run and of a boot that a crash is to be put on. */
export const STEP_KINDS: readonly string[] = [
  ...FILE_KINDS.flatMap(({ steps }) => Object.values(steps)),
  ...FOLDER_SYNCS.map(([, kind]) => kind),
  ...Object.values(BOOT_KINDS),
];

/** The kind of a step of a running broker; null: none. */
export function stepKind(fs: SimulatedFs, { step, path }: WatchedStep): string | null {
  if (step === 'syncDirectory') return folderSyncKind(fs, path);
  const name = basename(path);
  return FILE_KINDS.find(({ pattern }) => pattern.test(name))?.steps[step] ?? null;
}

/** The kind of a step of a broker that starts; null: none. */
export function bootStepKind(fs: SimulatedFs, watched: WatchedStep): string | null {
  const { step, path } = watched;
  // The reserve is taken beside the boot, and behind it.
  if (basename(path).startsWith('reserve')) return stepKind(fs, watched);
  const isLog = step === 'syncDirectory' || basename(path).startsWith('msgs.');
  if (!isLog || dirname(path) === '/') return null;
  return BOOT_KINDS[step] ?? null;
}

function folderSyncKind(fs: SimulatedFs, directory: string): string | null {
  const newest = fs.unsyncedNames(directory).at(-1);
  if (newest === undefined) return null;
  const names = newest.paths.map((path) => basename(path));
  return FOLDER_SYNCS.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1] ?? null;
}
