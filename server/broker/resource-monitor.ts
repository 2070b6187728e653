/**
 * Measures memory and disk, and raises and ends their alarms.
 *
 * - Accounted memory, what we know to hold, is looked at every turn where that costs nothing, and a few times a
 *   second where connections and queues must be asked.
 * - Resident memory is a second, hard mark, for what nobody accounts. It does not fall by itself while everybody
 *   waits: garbage is collected only when something is allocated, and the allocator keeps pages for later. So past
 *   this mark a collection is asked for; and when what V8 holds is then little, the rest is no reason to wait.
 * - A server that comes to rest gives back what it holds to be quick. V8 would keep that until it needs memory again,
 *   perhaps for ever: when it is much, a collection is asked for while nobody waits.
 * - An alarm ends only a tenth on the other side of its mark, so that it does not flap. Of the disk's mark a tenth may be
 *   more than all that consumers can free, so there it is at most as much as some segments of the log.
 */
import type { Alarms } from './alarms.ts';

/** How often memory and disk are measured. */
const CHECK_MS = 250;
/** Checks between two garbage collections that are asked for. */
const CHECKS_PER_COLLECTION = 8;
/**
 * A check finds the server at rest that comes after at most so many turns, a hundred a second: nobody is there who would
 * wait for a collection ...
 */
const TURNS_AT_REST = 25;
/** ... and after an event loop that was busy for at most such a share of the time: under full load turns are few and long. */
const BUSY_SHARE_AT_REST = 0.1;
/** ... and after so many such checks in a row it gives memory back. */
const CHECKS_AT_REST = 4;
/** What was let go, or what the heap has grown by, when a collection at rest is asked for, in bytes. */
const GARBAGE_AT_REST = 8 * 1024 * 1024;
/** A heap up to this size is compacted as well, in bytes: that takes some 20 ms. */
const COMPACTED_HEAP_MAX = 32 * 1024 * 1024;
/** Distance from a mark, as a share of it, at which its alarm ends. */
const HYSTERESIS = 0.1;
/** The same of the disk at most, in bytes. */
const DISK_HYSTERESIS_MAX = 128 * 1024 * 1024;

/** What is measured. All in bytes. */
export interface ResourceGauges {
  /** Accounted memory that is known without asking around; read every turn. */
  pooledBytes(): number;
  /** Accounted memory besides: asks every connection and queue. */
  sampledBytes(): number;
  /** What the process occupies. */
  residentBytes(): number;
  /** What V8 holds, on and off its heap, garbage included. */
  allocatedBytes(): number;
  /** Free space on the disk of the data directory. */
  freeDiskBytes(): number;
  /** V8's heap, without what lies off it. */
  heapBytes(): number;
  /** The share of the time since the last call in which the event loop was busy, 0 to 1. */
  takeBusyShare(): number;
  /** Lets go of memory that a server at rest does not need; returns how much. Free with the next collection. */
  letGo(): number;
  collectGarbage(isCompacting?: boolean): void;
}

/** Where alarms are raised. All in bytes. */
export interface ResourceMarks {
  /** Accounted memory at most. */
  readonly memoryBytes: number;
  /** Resident memory at most. */
  readonly residentBytes: number;
  /** Free disk space at least. */
  readonly freeDiskBytes: number;
}

/** Watches a server's resources. */
export class ResourceMonitor {
  private readonly alarms: Alarms;
  private readonly gauges: ResourceGauges;
  private readonly marks: ResourceMarks;
  private sampledBytes: number;
  private isAccountedLow: boolean;
  private isResidentLow: boolean;
  private isDiskLow: boolean;
  private checksUntilCollection: number;
  private turnsSinceCheck: number;
  private checksAtRest: number;
  /** The heap's size after the last collection at rest; 0 before the first, so that the start's garbage goes as well. */
  private heapAtRest: number;
  /** Let go of since then. */
  private letGoBytes: number;
  private timer: NodeJS.Timeout | null;

  constructor(alarms: Alarms, gauges: ResourceGauges, marks: ResourceMarks) {
    this.alarms = alarms;
    this.gauges = gauges;
    this.marks = marks;
    this.sampledBytes = 0;
    this.isAccountedLow = false;
    this.isResidentLow = false;
    this.isDiskLow = false;
    this.checksUntilCollection = 0;
    this.turnsSinceCheck = 0;
    this.checksAtRest = 0;
    this.heapAtRest = 0;
    this.letGoBytes = 0;
    this.timer = null;
  }

  /** Memory that the server knows it holds, in bytes. */
  get accountedBytes(): number {
    return this.gauges.pooledBytes() + this.sampledBytes;
  }

  /** Measures now, and then a few times a second. */
  start(): void {
    this.check();
    this.timer = setInterval(() => this.check(), CHECK_MS);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** HOT per turn: what grows fast must not wait for the timer. */
  endTurn(): void {
    this.turnsSinceCheck++;
    const bytes = this.accountedBytes;
    const { memoryBytes } = this.marks;
    if (this.isAccountedLow ? bytes < (1 - HYSTERESIS) * memoryBytes : bytes >= memoryBytes) {
      this.isAccountedLow = !this.isAccountedLow;
      this.updateMemory();
    }
  }

  /** Measures everything. */
  check(): void {
    this.sampledBytes = this.gauges.sampledBytes();
    this.endTurn();
    this.checkResident();
    this.checkDisk();
    this.tidyAtRest();
  }

  /** Gives back what the work before has left, when nobody waits. */
  private tidyAtRest(): void {
    const isIdle = this.gauges.takeBusyShare() <= BUSY_SHARE_AT_REST;
    const isAtRest = isIdle && this.turnsSinceCheck <= TURNS_AT_REST;
    this.turnsSinceCheck = 0;
    this.checksAtRest = isAtRest ? this.checksAtRest + 1 : 0;
    if (this.checksAtRest === 0 || this.checksAtRest % CHECKS_AT_REST > 0) return;
    const heap = this.gauges.heapBytes();
    this.heapAtRest = Math.min(this.heapAtRest, heap);
    this.letGoBytes += this.gauges.letGo();
    if (this.letGoBytes + heap - this.heapAtRest < GARBAGE_AT_REST) return;
    this.letGoBytes = 0;
    const isSmall = heap <= COMPACTED_HEAP_MAX;
    this.gauges.collectGarbage(isSmall);
    this.heapAtRest = this.gauges.heapBytes();
    if (isSmall || this.heapAtRest > COMPACTED_HEAP_MAX) return;
    this.gauges.collectGarbage(true);
    this.heapAtRest = this.gauges.heapBytes();
  }

  private checkResident(): void {
    const { residentBytes: mark } = this.marks;
    const resident = this.gauges.residentBytes();
    if (!this.isResidentLow) {
      this.isResidentLow = resident >= mark && this.holdsMuch();
    } else if (resident < (1 - HYSTERESIS) * mark || !this.holdsMuch()) {
      this.isResidentLow = false;
    }
    this.updateMemory();
  }

  /** Whether V8 holds at least half of what makes the hard mark, also after a collection. */
  private holdsMuch(): boolean {
    const half = this.marks.residentBytes / 2;
    if (this.gauges.allocatedBytes() < half) return false;
    if (this.checksUntilCollection-- > 0) return true;
    this.checksUntilCollection = CHECKS_PER_COLLECTION;
    this.gauges.collectGarbage();
    return this.gauges.allocatedBytes() >= half;
  }

  private checkDisk(): void {
    const free = this.gauges.freeDiskBytes();
    const mark = this.marks.freeDiskBytes;
    const end = mark + Math.min(HYSTERESIS * mark, DISK_HYSTERESIS_MAX);
    this.isDiskLow = free < (this.isDiskLow ? end : mark);
    this.alarms.setLow('disk', this.isDiskLow);
  }

  private updateMemory(): void {
    this.alarms.setLow('memory', this.isAccountedLow || this.isResidentLow);
  }
}
