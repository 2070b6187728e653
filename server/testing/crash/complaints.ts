/** What a broker may rightly complain of: the disk that it was given, and nothing else. */

/** A line of the broker's log, from level warn on. */
export interface Complaint {
  readonly event: string;
  readonly text: string;
}

/** How the disk of a run is. */
export interface DiskCondition {
  /** Calls fail now and then while clients work. */
  readonly isFailing: boolean;
  /** It gets full, at any time. */
  readonly isSmall: boolean;
}

/** Complaints that tell of much work. */
const STATES_OF_LOAD = /^log\.behind$/;
/** Those that tell of the state that a disk has brought about, and end by themselves. */
const STATES_OF_DISK = /^(log\.fail|log\.full|alarm\.raise|reserve\.small)$/;
/** Those of them that outlast a restart. */
const STATE_AT_BOOT = /^(log\.full|alarm\.raise)$/;
/** Those that tell of a call that the disk refused, and must say so. */
const REFUSALS =
  /^(checkpoint\.fail|segment\.delete\.fail|segment\.compact\.fail|body\.\w+|stop\.\w+)$/;
/** The general complaint of a turn is about many things; a queue that cannot be read says so. */
const READ_FAILURE = /^turn\.fail: .*queue '[^']*' cannot be read/;
/** A row that could not be read while the broker runs is made again; who reads the log is told of it. */
const ROW_MENDED = /^storage\.damage: .*\/enq\/\d+ .*found again in the log/;
const WISHED = /failed as the test wished/;
const NO_SPACE = /no space left on the disk/;
/** What a boot on a full disk says of the log's end, which it would have kept a copy of. */
const NOT_ASIDE = /^recovery\.damage: .*could not be kept aside: .*no space left on the disk/s;

/** Whether a broker that runs may say so. */
export function isRightful({ event, text }: Complaint, disk: DiskCondition): boolean {
  if (STATES_OF_LOAD.test(event)) return true;
  if (!disk.isFailing && !disk.isSmall) return false;
  if (STATES_OF_DISK.test(event) || (disk.isSmall && NOT_ASIDE.test(text))) return true;
  if (disk.isFailing && ROW_MENDED.test(text)) return true;
  const isRefusal = REFUSALS.test(event) || READ_FAILURE.test(text);
  return (
    isRefusal && ((disk.isFailing && WISHED.test(text)) || (disk.isSmall && NO_SPACE.test(text)))
  );
}

/**
 * Whether one that starts after a crash may say so, and while it is looked at: its disk does not fail any more, but may be
 * full, or have been taken for full when the last one ended.
 */
export function isRightfulAtBoot(complaint: Complaint, disk: DiskCondition): boolean {
  const { isFailing, isSmall } = disk;
  if (isFailing && STATE_AT_BOOT.test(complaint.event)) return true;
  return isRightful(complaint, { isFailing: false, isSmall });
}
