/**
 * A run: lives of a broker over one disk, chained by crashes, all from one seed.
 *
 * Each life works until its end while its steps are watched. Then it is crashed at several of the moments that were
 * kept, by a kill or by lost power, and for each the disk is booted and what clients find compared with what they
 * knew. A boot may itself be crashed. One of the crashed disks, with what was found on it, is where the next life
 * begins.
 */
import type { FileSystem } from '../../storage/fs.ts';
import { Random } from '../random.ts';
import { type CrashKind, SimulatedFs } from '../simulated-fs.ts';
import { VirtualTime } from '../virtual-time.ts';
import { type DiskCondition, isRightful } from './complaints.ts';
import type { Observation } from './events.ts';
import { Machine } from './machine.ts';
import { Model } from './model.ts';
import { checkObservation, nextModel } from './model-check.ts';
import { observe, type Places } from './observe.ts';
import { conditionOf, type DiskProfile, profileOf } from './profiles.ts';
import { Recorder } from './recorder.ts';
import { type CrashPoint, Sampler } from './sampler.ts';
import { bootStepKind, stepKind } from './step-kinds.ts';
import { type MessageNumbers, QUEUE_NAMES, ROUTES, Workload } from './workload.ts';

const PLACES: Places = { queues: QUEUE_NAMES, routes: ROUTES };
/** Moments at which one life is crashed. */
const POINTS_PER_LIFE = 6;
/** Share of the boots after a crash that are crashed, too. */
const BOOT_CRASH_SHARE = 0.4;
/** Moments that few lives have, and how often each is crashed. */
const RARE =
  /^(compaction|segment deletion|second file|reserve given up|chunk file cut|chunk file deletion|large|gap|laid out zeros)/;
const RARE_TIMES = 4;

/** The end of a life at no step in particular. */
export const AT_REST = 'at rest';

/** How a run is made. */
export interface CrashRunOptions extends DiskProfile {
  readonly seed: number;
  /** Crashes that are wanted, at least. */
  readonly points: number;
  /** Puts something between the broker and its disk, to make it worse. */
  readonly wrap?: (fs: SimulatedFs) => FileSystem;
}

/** A broken promise. */
export interface CrashFailure {
  readonly seed: number;
  /** Where the crash was. */
  readonly place: string;
  readonly wrongs: readonly string[];
}

/** What a run found. */
export interface CrashRunResult {
  readonly points: number;
  readonly stepKinds: Map<string, number>;
  readonly recordKinds: Map<string, number>;
  readonly failure: CrashFailure | null;
}

/** What a seed of a campaign does. */
export function campaignOptions(seed: number, points: number): CrashRunOptions {
  return { seed, points, ...profileOf(seed) };
}

/** Runs lives until there were enough crashes, or one broke a promise. */
export async function runCrashes(options: CrashRunOptions): Promise<CrashRunResult> {
  const time = new VirtualTime();
  time.install();
  try {
    return await new CrashRun(options, time).run();
  } finally {
    time.uninstall();
  }
}

/** A disk and what clients know of it. */
interface Found {
  readonly fs: SimulatedFs;
  /** Makes the model with which the next life begins, as often as it is needed. */
  readonly begin: () => Model;
}

/** Thrown where a promise is broken: the run is over. */
class BrokenPromise extends Error {
  readonly place: string;
  readonly wrongs: readonly string[];

  constructor(place: string, wrongs: readonly string[]) {
    super(wrongs.join('; '));
    this.place = place;
    this.wrongs = wrongs;
  }
}

class CrashRun {
  private readonly options: CrashRunOptions;
  private readonly condition: DiskCondition;
  private readonly time: VirtualTime;
  private readonly random: Random;
  private readonly numbers: MessageNumbers;
  private readonly stepKinds: Map<string, number>;
  private readonly recordKinds: Map<string, number>;
  private points: number;
  private life: number;

  constructor(options: CrashRunOptions, time: VirtualTime) {
    this.options = options;
    this.condition = conditionOf(options);
    this.time = time;
    this.random = new Random(options.seed);
    this.numbers = { next: 1 };
    this.stepKinds = new Map();
    this.recordKinds = new Map();
    this.points = 0;
    this.life = 0;
  }

  async run(): Promise<CrashRunResult> {
    const { seed, disk } = this.options;
    let failure: CrashFailure | null = null;
    let found: Found = {
      fs: new SimulatedFs({ completion: 'manual', seed, ...disk }),
      begin: () => new Model(),
    };
    try {
      while (this.points < this.options.points) found = await this.live(found);
    } catch (error) {
      const { place, wrongs } = asBrokenPromise(error, `life ${this.life}`);
      failure = { seed, place, wrongs };
    }
    const { points, stepKinds, recordKinds } = this;
    return { points, stepKinds, recordKinds, failure };
  }

  /** One life and its crashes; where the next one begins. */
  private async live({ fs, begin }: Found): Promise<Found> {
    this.life++;
    const { random } = this;
    const machine = await this.boot(fs, `life ${this.life}: start`);
    const recorder = new Recorder(begin());
    const sampler = new Sampler(fs, random, stepKind, () => recorder.events.length);
    const workload = new Workload(machine, recorder, random, this.numbers, this.options);
    await workload.run();
    fs.heal();
    if (random.chance(0.2)) {
      workload.end();
      if (await machine.stop()) recorder.add({ type: 'stopped' });
    }
    const place = `life ${this.life}`;
    if (recorder.troubles.length > 0) throw new BrokenPromise(place, recorder.troubles);
    this.requireNoComplaints(machine, place);
    const atRest = this.atRest(fs, recorder.events.length);
    this.count(atRest);
    const points = this.shuffled([atRest, ...this.choose(sampler, POINTS_PER_LIFE - 1)]);
    machine.abandon();
    let last: Found | null = null;
    for (const point of points) {
      // Rare moments end in several ways.
      for (let again = isRare(point) ? RARE_TIMES - 1 : 0; again > 0; again--) {
        this.count(point);
        await this.crash({ ...point, fs: point.fs.copy() }, begin, recorder);
      }
      last = await this.crash(point, begin, recorder);
    }
    return last!;
  }

  private requireNoComplaints(machine: Machine, place: string): void {
    const wrongs = machine.complaints.filter((said) => !isRightful(said, this.condition));
    if (wrongs.length === 0) return;
    throw new BrokenPromise(
      place,
      wrongs.map(({ text }) => text),
    );
  }

  /** The moments of the kinds that this run has hit least; twice as many as asked for where it never hit them. */
  private choose(sampler: Sampler, count: number): CrashPoint[] {
    const points: CrashPoint[] = [];
    while (points.length < 2 * count) {
      const hitsMax = points.length < count ? Number.POSITIVE_INFINITY : 0;
      const point = sampler.takeRarest((kind) => this.hitsOf(kind), hitsMax);
      if (point === null) break;
      this.count(point);
      points.push(point);
    }
    return points;
  }

  private hitsOf(kind: string): number {
    return this.stepKinds.get(kind) ?? this.recordKinds.get(kind) ?? 0;
  }

  private shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  private atRest(fs: SimulatedFs, eventCount: number): CrashPoint {
    return {
      stepKind: AT_REST,
      phase: 'after',
      step: fs.steps,
      recordKinds: [],
      fs: fs.copy(),
      eventCount,
    };
  }

  /** Crashes a life at one moment and looks at what is left. */
  private async crash(point: CrashPoint, begin: () => Model, { events }: Recorder): Promise<Found> {
    const model = begin();
    for (const event of events.slice(0, point.eventCount)) model.apply(event);
    const kind: CrashKind = this.random.pick(['kill', 'power', 'power']);
    const place = `life ${this.life}, ${kind} ${point.phase} ${point.stepKind} (step ${point.step})`;
    const fs = point.fs.crash(kind, this.random);
    const disk = this.random.chance(BOOT_CRASH_SHARE) ? await this.crashBoot(fs, place) : fs;
    const observation = await this.look(disk.copy(), place);
    const wrongs = checkObservation(model, observation);
    if (wrongs.length > 0) throw new BrokenPromise(place, wrongs);
    return { fs: disk, begin: () => nextModel(model, observation) };
  }

  /** Boots and crashes the boot; the disk as that leaves it. */
  private async crashBoot(fs: SimulatedFs, place: string): Promise<SimulatedFs> {
    const watched = fs.copy();
    const sampler = new Sampler(watched, this.random, bootStepKind, () => 0);
    const machine = await this.boot(watched, `${place}, then a boot`);
    machine.abandon();
    const [point] = this.choose(sampler, 1);
    if (point === undefined) return fs;
    return point.fs.crash(this.random.pick(['kill', 'power']), this.random);
  }

  private async look(fs: SimulatedFs, place: string): Promise<Observation> {
    const machine = await this.boot(fs, place);
    try {
      return await observe(machine, PLACES, this.condition, this.random);
    } catch (error) {
      throw new BrokenPromise(place, [String(error), ...machine.complaints.map((c) => c.text)]);
    } finally {
      machine.abandon();
    }
  }

  private async boot(fs: SimulatedFs, place: string): Promise<Machine> {
    const { time } = this;
    const disk = this.options.wrap?.(fs) ?? fs;
    try {
      return await Machine.boot({ fs, time, disk });
    } catch (error) {
      const text = error instanceof Error ? String(error.stack) : String(error);
      throw new BrokenPromise(place, [`the broker does not start: ${text}`]);
    }
  }

  private count({ stepKind, recordKinds }: CrashPoint): void {
    this.points++;
    countOne(this.stepKinds, stepKind);
    for (const kind of recordKinds) countOne(this.recordKinds, kind);
  }
}

/** An error that nobody foresaw is a broken promise, too. */
function asBrokenPromise(error: unknown, place: string): BrokenPromise {
  if (error instanceof BrokenPromise) return error;
  return new BrokenPromise(place, [error instanceof Error ? String(error.stack) : String(error)]);
}

function isRare({ stepKind, recordKinds }: CrashPoint): boolean {
  return [stepKind, ...recordKinds].some((kind) => RARE.test(kind));
}

function countOne(counts: Map<string, number>, kind: string): void {
  counts.set(kind, 1 + (counts.get(kind) ?? 0));
}
