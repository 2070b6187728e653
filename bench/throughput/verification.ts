/**
 * @hot Verifies what consumers see: that every message has the body it was given, comes to a consumer in the order in
 * which its producer published it, comes once, and comes at all.
 *
 * Messages are told apart by their stamps (body-stamp.ts). Order is a consumer's, completeness a queue's: several
 * consumers of a queue share its messages in any way, and what each gets is still in order. A delivery that is marked
 * as redelivered may come again, and late.
 */
import type { BodyFilling } from './body-filling.ts';
import { FULL_STAMP_BYTES, LANE_COUNT_MAX } from './body-stamp.ts';
import { NumberSet } from './number-set.ts';

/** What was found. All but the first two and the last must be 0. */
export interface VerificationResult {
  /** Different messages of this run (or of any, where nothing is published here) that came. */
  readonly verified: number;
  /** Messages that came again, and were marked as redelivered. */
  readonly redelivered: number;
  /** Messages that neither came nor are left in their queue. */
  readonly missing: number;
  /** Messages that came again without that mark. */
  readonly duplicates: number;
  /** Messages that came to a consumer behind a later one of their producer. */
  readonly outOfOrder: number;
  /** Messages whose size or octets were not what was published. */
  readonly corrupt: number;
  /** Messages that another run, or somebody else, left in the queue: not looked at. */
  readonly foreign: number;
}

/** Whether a verification found nothing wrong. */
export function isVerified(result: VerificationResult): boolean {
  const { missing, duplicates, outOfOrder, corrupt } = result;
  return missing + duplicates + outOfOrder + corrupt === 0;
}

/** What messages of the run look like. */
export interface VerifiedMessages {
  readonly filling: BodyFilling;
  readonly bodySizesBytes: readonly number[];
  /** The run's own; null: nothing is published in this process, and lanes of any run are verified. */
  readonly firstLane: number | null;
}

interface Counts {
  redelivered: number;
  duplicates: number;
  outOfOrder: number;
  corrupt: number;
  foreign: number;
}

/** Of one queue, whatever the number of its consumers. */
export class QueueVerification {
  readonly lanes: Map<number, NumberSet>;
  readonly counts: Counts;
  readonly messages: VerifiedMessages;

  constructor(messages: VerifiedMessages) {
    this.lanes = new Map();
    this.counts = { redelivered: 0, duplicates: 0, outOfOrder: 0, corrupt: 0, foreign: 0 };
    this.messages = messages;
  }

  /** Different messages that came. */
  get verified(): number {
    let sum = 0;
    for (const numbers of this.lanes.values()) sum += numbers.count;
    return sum;
  }

  /** The numbers of a lane that have come. */
  lane(lane: number): NumberSet {
    let numbers = this.lanes.get(lane);
    if (numbers === undefined) {
      numbers = new NumberSet();
      this.lanes.set(lane, numbers);
    }
    return numbers;
  }

  /**
   * What was found, all consumers of the queue having come to rest.
   *
   * @param expected messages that were published to the queue in all; null: unknown
   * @param ready messages left in the queue
   */
  result(expected: number | null, ready: number): VerificationResult {
    const { verified, counts } = this;
    let missing = 0;
    for (const numbers of this.lanes.values()) missing += numbers.missing;
    if (expected !== null) missing = Math.max(missing, expected - verified - ready);
    return { verified, missing, ...counts };
  }
}

/** What comes of a lane to one consumer. */
interface LaneOrder {
  readonly lane: number;
  readonly numbers: NumberSet;
  highest: number;
}

/** Of one consumer: for each body {@link begin}, when its stamp has come, then {@link filling}, then {@link end}. */
export class ConsumerVerification {
  private readonly queue: QueueVerification;
  private readonly orders: Map<number, LaneOrder>;
  /** Of the body under way, or of an earlier one; null: none was looked at yet. */
  private latest: LaneOrder | null;
  private isStamped: boolean;
  private isIntact: boolean;
  private number: number;
  private fillingAt: number;

  constructor(queue: QueueVerification) {
    this.queue = queue;
    this.orders = new Map();
    this.latest = null;
    this.isStamped = false;
    this.isIntact = true;
    this.number = 0;
    this.fillingAt = 0;
  }

  /** @param isOfRunTime whether the message was published after this run began */
  begin(lane: number, wireNumber: number, isOfRunTime: boolean): void {
    const { firstLane, filling } = this.queue.messages;
    if (firstLane !== null && (!isOfRunTime || !isOfRun(lane, firstLane))) return;
    if (this.latest === null || this.latest.lane !== lane) this.latest = this.order(lane);
    this.number = this.latest.numbers.unwrap(wireNumber);
    this.fillingAt = filling.offsetOf(lane, wireNumber);
    this.isStamped = this.number >= 0;
  }

  /** A piece of the body behind its stamp, `bodyOffset` octets behind the body's beginning. */
  filling(buf: Buffer, at: number, sizeBytes: number, bodyOffset: number): void {
    if (!this.isStamped) return;
    const { bytes } = this.queue.messages.filling;
    const from = this.fillingAt + bodyOffset - FULL_STAMP_BYTES;
    if (from + sizeBytes > bytes.length) this.isIntact = false;
    else if (bytes.compare(buf, at, at + sizeBytes, from, from + sizeBytes) !== 0) {
      this.isIntact = false;
    }
  }

  end(bodySizeBytes: number, isRedelivered: boolean): void {
    const { counts, messages } = this.queue;
    if (this.isStamped && this.latest !== null) {
      const sizes = messages.bodySizesBytes;
      const isIntact = this.isIntact && bodySizeBytes === sizes[this.number % sizes.length];
      if (!isIntact) counts.corrupt++;
      this.place(this.latest, isRedelivered);
    } else {
      counts.foreign++;
    }
    this.isStamped = false;
    this.isIntact = true;
  }

  private place(order: LaneOrder, isRedelivered: boolean): void {
    const { counts } = this.queue;
    const isNew = order.numbers.add(this.number);
    if (isRedelivered) {
      if (!isNew) counts.redelivered++;
      return;
    }
    if (!isNew) counts.duplicates++;
    else if (this.number < order.highest) counts.outOfOrder++;
    order.highest = Math.max(order.highest, this.number);
  }

  private order(lane: number): LaneOrder {
    let order = this.orders.get(lane);
    if (order === undefined) {
      order = { lane, numbers: this.queue.lane(lane), highest: -1 };
      this.orders.set(lane, order);
    }
    return order;
  }
}

function isOfRun(lane: number, firstLane: number): boolean {
  return lane >= firstLane && lane < firstLane + LANE_COUNT_MAX;
}
