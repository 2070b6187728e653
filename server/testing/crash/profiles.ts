/** What a seed of a campaign is given: its disk, and how that disk fails. */

import { Random } from '../random.ts';
import type { BadSpell } from '../simulated-faults.ts';
import type { SimulatedFsOptions } from '../simulated-fs.ts';
import type { DiskCondition } from './complaints.ts';

/** A disk, and the bad spells that it may have while the broker runs. */
export interface DiskProfile {
  readonly disk?: SimulatedFsOptions;
  readonly faults?: readonly BadSpell[];
}

/** What a disk that fails does to the log: syncs, writes and the folder's syncs. */
export const LOG_FAULTS: readonly BadSpell[] = [
  { calls: ['sync'], errno: 'EIO', length: 2, path: /msgs/ },
  { calls: ['sync'], errno: 'EIO', length: 6, chance: 0.5, path: /msgs/ },
  { calls: ['write'], errno: 'EIO', length: 2, path: /msgs/ },
  { calls: ['write'], errno: 'ENOSPC', length: 8, chance: 0.5, path: /msgs/ },
  { calls: ['syncDirectory'], errno: 'EIO', length: 2 },
];

/** Anything that changes the disk may fail, whichever file it is. */
const WRITE_FAULTS: readonly BadSpell[] = [
  { calls: ['write'], errno: 'ENOSPC', length: 30, chance: 0.3 },
  { calls: ['write', 'create', 'rename'], errno: 'EIO', length: 12, chance: 0.4 },
  { calls: ['sync', 'syncDirectory'], errno: 'EIO', length: 6, chance: 0.5 },
  { calls: ['sync'], errno: 'ENOSPC', length: 4, chance: 0.5 },
  { calls: ['write', 'sync', 'create'], errno: 'EIO', length: 6, path: /enq|reserve/ },
  { calls: ['delete', 'truncate'], errno: 'EIO', length: 4 },
];

/** Reads fail, and no file can be opened. */
const READ_FAULTS: readonly BadSpell[] = [
  { calls: ['read'], errno: 'EIO', length: 2, path: /msgs|enq|large/ },
  { calls: ['read'], errno: 'EIO', length: 12, chance: 0.5, path: /msgs|enq|large/ },
  {
    calls: ['open'],
    errno: 'EMFILE',
    length: 3,
    path: /msgs|enq|checkpoint|definitions|reserve|large/,
  },
  { calls: ['open', 'create'], errno: 'ENFILE', length: 20, chance: 0.4, path: /msgs|enq|reserve/ },
];

/** Sizes of small disks. The smallest is less than a large body; the others have room for a few of those. */
const SMALL_BYTES: readonly number[] = [1_100_000, 1_500_000, 3_000_000, 5_000_000];
/** Share of the writes that the kernel takes in two pieces. */
const SHORT_WRITE_SHARE = 0.05;
const SPELLS: readonly (readonly BadSpell[] | 'small' | null)[] = [
  LOG_FAULTS,
  'small',
  WRITE_FAULTS,
  READ_FAULTS,
  LOG_FAULTS,
  'small',
  null,
  null,
];

/** The disk of a seed. */
export function profileOf(seed: number): DiskProfile {
  const disk = { shortWriteShare: SHORT_WRITE_SHARE };
  const spells = SPELLS[seed % SPELLS.length]!;
  if (spells === null) return { disk };
  if (spells !== 'small') return { disk, faults: spells };
  return { disk: { ...disk, capacityBytes: new Random(seed).pick(SMALL_BYTES) } };
}

/** What the broker may complain of on such a disk. */
export function conditionOf({ disk, faults }: DiskProfile): DiskCondition {
  return { isFailing: faults !== undefined, isSmall: disk?.capacityBytes !== undefined };
}
