/**
 * A fuzz run: sessions that break every rule, many at a time, against a server process of its own, beside canaries.
 *
 * After every batch the server must hold no connection more than before, and what sessions left behind is deleted.
 * What a run plays follows from its seed alone; in which order the server reads it, does not.
 */
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import fc, { type Arbitrary } from 'fast-check';
import { eventually, within } from '../support/deadline.ts';
import { LocalServer } from '../support/local-server.ts';
import { Canary } from './canary.ts';
import { DOOR_SETTINGS, type DoorPorts, doorPortsOf, openDoor } from './doors.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { httpCases } from './http-cases.ts';
import { mutatedCases } from './mutated-cases.ts';
import { playCase } from './play-case.ts';
import { openSockets, residentBytes } from './process-usage.ts';
import { proxyCases } from './proxy-cases.ts';
import { EXCHANGE_NAMES, QUEUE_NAMES, structuredCases } from './structured-cases.ts';
import { tlsCases } from './tls-cases.ts';

const BATCH_SIZE = 250;
/** Sessions at a time. */
const LANES = 16;
/** Batches after which the server has what it keeps for good: code, pools, caches. */
const WARM_UP_BATCHES = 8;
/** By how much its memory may differ from then, in bytes: the collector decides when it works. */
const RESIDENT_GROWTH_MAX = 128 * 1024 * 1024;
/** The canaries rest between beats, in milliseconds: they watch, and need no processor of their own. */
const CANARY_REST_MS = 20;
const PROMPT_LEVELS = ['error', 'fatal'];

/** A session of a run, which its seed and place make again. */
export interface NumberedCase {
  readonly seed: number;
  readonly index: number;
  readonly played: FuzzCase;
}

/** Something that must not be, and the session that brought it about, where that is known. */
export interface FuzzComplaint {
  readonly text: string;
  readonly cause: NumberedCase | null;
}

/** What a run is to do. */
export interface FuzzPlan {
  readonly seed: number;
  /** Played first, whatever the seed. */
  readonly found: readonly FuzzCase[];
  /** No further batch begins when this is over, in milliseconds. */
  readonly limitMs: number;
  readonly batchesMax: number;
}

/** What came of it. */
export interface FuzzReport {
  readonly sessions: number;
  readonly complaints: readonly FuzzComplaint[];
  /** How many sessions ended in which way. */
  readonly endings: ReadonlyMap<string, number>;
  readonly canaryBeats: number;
  readonly longestBeatMs: number;
  readonly residentBytes: number;
}

/** All kinds of sessions, by all doors. */
export function fuzzCases(): Arbitrary<FuzzCase> {
  const mutated = mutatedCases();
  const overTls = fc
    .oneof(structuredCases, mutated)
    .map((played): FuzzCase => ({ ...played, door: 'tls' }));
  return fc.oneof(
    { weight: 8, arbitrary: structuredCases },
    { weight: 4, arbitrary: mutated },
    { weight: 1, arbitrary: overTls },
    { weight: 2, arbitrary: proxyCases() },
    { weight: 1, arbitrary: tlsCases() },
    { weight: 1, arbitrary: httpCases() },
  );
}

/** A server with all doors that sessions knock at. */
function startServer(run: FuzzRun): Promise<LocalServer> {
  return LocalServer.start({
    tls: true,
    variables: DOOR_SETTINGS,
    onLogLine: (line) => run.logged(line),
  });
}

/** @throws Error when the server does not start, or has ended by itself */
export async function runFuzz(plan: FuzzPlan): Promise<FuzzReport> {
  const run = new FuzzRun();
  const server = await startServer(run);
  try {
    await run.play(server, plan);
  } finally {
    await server.stop();
  }
  return run.report();
}

class FuzzRun {
  private readonly complaints: FuzzComplaint[] = [];
  private readonly endings: Map<string, number> = new Map();
  /** Sessions of the current batch by the port from which they come. */
  private readonly byPort: Map<number, NumberedCase> = new Map();
  private canary: Canary | null = null;
  private sessions = 0;
  private resident = 0;

  async play(server: LocalServer, plan: FuzzPlan): Promise<void> {
    const { url, pid } = server;
    const ports = doorPortsOf(server);
    const deadline = performance.now() + plan.limitMs;
    const cases = fuzzCases();
    const canary = await Canary.start(url);
    this.canary = canary;
    let isOver = false;
    const beating = canary.beatUntil(() => isOver, CANARY_REST_MS);
    await eventually('a beat of the canary', async () => {
      await pause(1);
      return canary.beats > 0 || canary.complaints.length > 0;
    });
    const socketsAtRest = openSockets(pid);
    await this.playBatch(
      url,
      ports,
      plan.found.map((played, index) => ({ seed: -1, index, played })),
    );
    let warmBytes = 0;
    for (let batch = 0; batch < plan.batchesMax && performance.now() < deadline; batch++) {
      const seed = plan.seed + batch;
      const sample = fc.sample(cases, { seed, numRuns: BATCH_SIZE });
      await this.playBatch(
        url,
        ports,
        sample.map((played, index) => ({ seed, index, played })),
      );
      await this.checkDoors(ports);
      await this.checkSockets(pid, socketsAtRest);
      this.resident = residentBytes(pid);
      if (batch === WARM_UP_BATCHES) warmBytes = this.resident;
      if (this.complaints.length > 0) break;
    }
    if (warmBytes > 0 && this.resident > warmBytes + RESIDENT_GROWTH_MAX) {
      this.complain(`its memory has grown from ${warmBytes} to ${this.resident} bytes`);
    }
    isOver = true;
    await beating;
    if (canary.complaints.length === 0) await canary.end();
    for (const text of canary.complaints) this.complain(text);
  }

  /** A line of the server's log: an error is one too many, whoever is to blame. */
  logged(line: string): void {
    if (!line.startsWith('{')) {
      this.complain(`the server prints: ${line}`);
      return;
    }
    const entry = JSON.parse(line) as Record<string, unknown>; // written by our own server
    if (!PROMPT_LEVELS.includes(String(entry['level']))) return;
    const port = Number(/:(\d+) ->/.exec(String(entry['conn']))?.[1]);
    this.complaints.push({
      text: `the server logs: ${line}`,
      cause: this.byPort.get(port) ?? null,
    });
  }

  report(): FuzzReport {
    const { sessions, complaints, endings, canary, resident } = this;
    return {
      sessions,
      complaints,
      endings,
      canaryBeats: canary?.beats ?? 0,
      longestBeatMs: canary?.longestMs ?? 0,
      residentBytes: resident,
    };
  }

  private async playBatch(
    url: string,
    ports: DoorPorts,
    cases: readonly NumberedCase[],
  ): Promise<void> {
    const left = [...cases];
    const queues = new Set(QUEUE_NAMES);
    const lane = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        for (const queue of await this.playOne(next, ports)) queues.add(queue);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await tidyUp(url, queues);
    this.byPort.clear();
  }

  /** Plays a session when nothing else goes on, and waits for what the server has to say of it. */
  async playAlone(played: FuzzCase, ports: DoorPorts): Promise<void> {
    await this.playOne({ seed: -1, index: 0, played }, ports);
  }

  private async playOne(cause: NumberedCase, ports: DoorPorts): Promise<readonly string[]> {
    const { complaints, ending, queues } = await playCase(cause.played, ports, (port) =>
      this.byPort.set(port, cause),
    );
    this.sessions++;
    this.endings.set(ending, 1 + (this.endings.get(ending) ?? 0));
    for (const text of complaints) this.complaints.push({ text, cause });
    return queues;
  }

  /** Those of which the canaries see nothing let a well-behaved client in as before. */
  private async checkDoors(ports: DoorPorts): Promise<void> {
    try {
      (await openDoor('tls', ports)).destroy();
      const status = await within(statusOf(ports.http, '/healthz'), 'answer of /healthz');
      if (status !== 200) this.complain(`/healthz answers ${status}`);
    } catch (error) {
      this.complain(`a door stays shut: ${String(error)}`);
    }
  }

  private async checkSockets(pid: number, atRest: number): Promise<void> {
    try {
      await eventually('back at rest', async () => {
        await pause(10);
        return openSockets(pid) <= atRest;
      });
    } catch {
      this.complain(`${openSockets(pid)} sockets are open, ${atRest} were`);
    }
  }

  private complain(text: string): void {
    this.complaints.push({ text, cause: null });
  }
}

/** The status of the answer to a GET, on a connection of its own. */
function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    }).once('error', reject);
  });
}

/** Deletes what sessions have declared. */
async function tidyUp(url: string, queues: Iterable<string>): Promise<void> {
  const connection = await within(connect(url, { noDelay: true }), 'connection to tidy up');
  const channel = await connection.createChannel();
  for (const queue of queues) await within(channel.deleteQueue(queue), `deletion of ${queue}`);
  for (const exchange of EXCHANGE_NAMES) {
    await within(channel.deleteExchange(exchange), `deletion of ${exchange}`);
  }
  await connection.close();
}

/**
 * The smallest session that still brings a complaint of the same kind about, played alone against a new server; null
 * when it brings none about then.
 */
export async function shrinkCase({
  seed,
  index,
}: Pick<NumberedCase, 'seed' | 'index'>): Promise<FuzzCase | null> {
  const run = new FuzzRun();
  const server = await startServer(run);
  try {
    const ports = doorPortsOf(server);
    const { counterexample } = await fc.check(
      fc.asyncProperty(fuzzCases(), async (played) => {
        const before = run.report().complaints.length;
        await run.playAlone(played, ports);
        return run.report().complaints.length === before;
      }),
      { seed, path: `${index}`, numRuns: 1, interruptAfterTimeLimit: 60_000 },
    );
    return counterexample?.[0] ?? null;
  } finally {
    await server.stop().catch(() => undefined); // it may have ended by itself
  }
}
