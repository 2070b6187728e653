/**
 * @hot Looks into the bodies of one consumer's deliveries: how old they are, whether they are whole, and whether each
 * came once and in order.
 *
 * A body is seen in pieces as it lies in the read buffer, octet for octet; of one delivery nothing is kept but its stamp
 * (body-stamp.ts).
 */
import { performance } from 'node:perf_hooks';
import { FRAME_OVERHEAD, readU32, readU64 } from '../../generated/index.ts';
import {
  epochOffsetUs,
  FULL_STAMP_BYTES,
  LANE_OFFSET,
  NUMBER_OFFSET,
  TIME_STAMP_BYTES,
} from './body-stamp.ts';
import type { LatencyHistogram } from './latency-histogram.ts';
import type { ConsumerVerification } from './verification.ts';

/** Frame header, class, weight. */
const BODY_SIZE_OFFSET = 11;
/** Frame header of the body frame. */
const FRAME_HEADER_BYTES = 7;

/** Of one consumer. */
export class DeliveryObserver {
  /** null: nobody asks for latencies. */
  private readonly latencyUs: LatencyHistogram | null;
  /** null: nothing is verified. */
  private readonly verification: ConsumerVerification | null;
  /** Messages stamped before are not of this run; microseconds since 1970. */
  private readonly runStartedUs: number;
  private readonly stamp: Buffer;
  private readonly offsetUs: number;
  /** When the read under way came, microseconds since 1970; -1: not asked yet. */
  private readAtUs: number;
  /** Messages of the read that were due at the same time share an entry in the histogram; `runDueUs` -1: none yet. */
  private runDueUs: number;
  private runCount: number;
  private bodySizeBytes: number;
  /** Octets of the body seen so far. */
  private seen: number;
  private isRedelivered: boolean;

  /** @param runStartedMs on the clock of `performance.now()` */
  constructor(
    latencyUs: LatencyHistogram | null,
    verification: ConsumerVerification | null,
    runStartedMs: number,
  ) {
    this.latencyUs = latencyUs;
    this.verification = verification;
    this.offsetUs = epochOffsetUs();
    this.runStartedUs = Math.floor(this.offsetUs + runStartedMs * 1000);
    this.stamp = Buffer.alloc(FULL_STAMP_BYTES);
    this.readAtUs = -1;
    this.runDueUs = -1;
    this.runCount = 0;
    this.bodySizeBytes = 0;
    this.seen = 0;
    this.isRedelivered = false;
  }

  /** A content that lies whole in `buf`: its header frame begins at `headerAt`, its last frame ends at `end`. */
  whole(buf: Buffer, headerAt: number, end: number, isRedelivered: boolean): void {
    const bodySizeBytes = readU32(buf, headerAt + BODY_SIZE_OFFSET + 4);
    this.begin(bodySizeBytes, isRedelivered);
    if (bodySizeBytes > 0) {
      const bodyAt = headerAt + FRAME_OVERHEAD + readU32(buf, headerAt + 3) + FRAME_HEADER_BYTES;
      this.piece(buf, bodyAt, end - 1 - bodyAt);
    }
    this.end();
  }

  begin(bodySizeBytes: number, isRedelivered: boolean): void {
    this.bodySizeBytes = bodySizeBytes;
    this.isRedelivered = isRedelivered;
    this.seen = 0;
  }

  piece(buf: Buffer, start: number, sizeBytes: number): void {
    const before = this.seen;
    this.seen += sizeBytes;
    let at = start;
    if (before < FULL_STAMP_BYTES) {
      const end = start + Math.min(sizeBytes, FULL_STAMP_BYTES - before);
      for (let to = before; at < end; ) this.stamp[to++] = buf[at++]!;
      if (this.verification !== null && this.seen >= FULL_STAMP_BYTES) this.beginVerification();
    }
    const rest = start + sizeBytes - at;
    if (rest > 0) this.verification?.filling(buf, at, rest, before + at - start);
  }

  end(): void {
    if (this.latencyUs !== null && this.bodySizeBytes >= TIME_STAMP_BYTES) {
      if (this.readAtUs < 0) this.readAtUs = this.offsetUs + performance.now() * 1000;
      const dueUs = readU64(this.stamp, 0);
      if (dueUs !== this.runDueUs) {
        this.recordRun(this.latencyUs);
        this.runDueUs = dueUs;
      }
      this.runCount++;
    }
    this.verification?.end(this.bodySizeBytes, this.isRedelivered);
  }

  /** What one read brought has been shown; all of it counts as having come at its beginning. */
  readEnd(): void {
    if (this.latencyUs !== null) this.recordRun(this.latencyUs);
    this.readAtUs = -1;
    this.runDueUs = -1;
  }

  private recordRun(latencyUs: LatencyHistogram): void {
    const { runDueUs, runCount, runStartedUs, readAtUs } = this;
    this.runCount = 0;
    // What is older is left over from another run; the time in a body that has none may be anything.
    const isOfRun = runDueUs >= runStartedUs && runDueUs <= readAtUs + 1;
    if (runCount > 0 && isOfRun) latencyUs.record(readAtUs - runDueUs, runCount);
  }

  private beginVerification(): void {
    const { stamp } = this;
    const dueUs = readU64(stamp, 0);
    this.verification?.begin(
      readU32(stamp, LANE_OFFSET),
      readU32(stamp, NUMBER_OFFSET),
      dueUs >= this.runStartedUs,
    );
  }
}
