/** The longest turn of a server's event loop, without the pauses that the machine made in it. */
import { fileURLToPath } from 'node:url';
import { PinnedProcess } from './pinned-process.ts';
import type { LongestTurn, MachinePause, WatchedTurns } from './target.ts';

const PAUSES_MAIN = fileURLToPath(new URL('./machine-pauses-main.js', import.meta.url));

/** Watches the turns of one server, and the cores that it may run on. */
export class TurnWatch {
  private readonly server: PinnedProcess;
  /** One on each core. */
  private readonly watchers: readonly PinnedProcess[];

  private constructor(server: PinnedProcess, watchers: readonly PinnedProcess[]) {
    this.server = server;
    this.watchers = watchers;
  }

  /**
   * Watches a server that was started with {@link LONGEST_TURN_FLAGS} and a channel.
   *
   * @param cores whose pauses are no part of a turn
   * @param signal ends the watching
   */
  static async start(
    server: PinnedProcess,
    cores: readonly number[],
    signal: AbortSignal,
  ): Promise<TurnWatch> {
    const watchers: PinnedProcess[] = [];
    const end = (): void => {
      for (const watcher of watchers) void watcher.kill();
    };
    signal.addEventListener('abort', end);
    server.whenEnded(() => {
      signal.removeEventListener('abort', end);
      end();
    });
    for (const core of cores) {
      const command = [process.execPath, PAUSES_MAIN];
      const watcher = await PinnedProcess.spawn(core, command, { withChannel: true });
      watchers.push(watcher);
      await watcher.findLine((line) => (line === 'watching' ? true : null));
    }
    if (!server.isRunning || signal.aborted) end();
    return new TurnWatch(server, watchers);
  }

  /** The longest turn since this was last asked. */
  async longest(): Promise<LongestTurn> {
    const turns = (await this.server.ask()) as WatchedTurns;
    const pauses = await Promise.all(this.watchers.map((watcher) => watcher.ask()));
    return longestTurn(turns, pauses as MachinePause[][]);
  }
}

/**
 * The longest turn where what the machine stood still is taken off: of the pauses of all cores, those of the core that
 * had the largest share in the turn, since it ran on one of them. `pauses` has those of each core.
 */
export function longestTurn(
  turns: WatchedTurns,
  pauses: readonly (readonly MachinePause[])[],
): LongestTurn {
  let turnMs = turns.shortMs;
  let pausedMs = 0;
  for (const turn of turns.long) {
    const paused = Math.max(0, ...pauses.map((ofCore) => overlapMs(turn, ofCore)));
    turnMs = Math.max(turnMs, turn.turnMs - paused);
    pausedMs = Math.max(pausedMs, paused);
  }
  return { turnMs, pausedMs, lateMs: turns.lateMs };
}

function overlapMs({ fromMs, toMs }: MachinePause, pauses: readonly MachinePause[]): number {
  let sumMs = 0;
  for (const pause of pauses) {
    sumMs += Math.max(0, Math.min(toMs, pause.toMs) - Math.max(fromMs, pause.fromMs));
  }
  return sumMs;
}
