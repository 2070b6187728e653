import { cpus } from 'node:os';
import t from 'tap';
import { canPinTo, PinnedProcess } from './pinned-process.ts';
import { longestTurn, TurnWatch } from './turn-watch.ts';

const turn = (fromMs: number, toMs: number, turnMs: number) => ({ fromMs, toMs, turnMs });

t.test('what the machine stood still in a turn is taken off', async (t) => {
  const turns = { shortMs: 3, lateMs: 40, long: [turn(100, 120, 19), turn(200, 240, 38)] };
  t.same(longestTurn(turns, []), { turnMs: 38, pausedMs: 0, lateMs: 40 });
  const pause = (fromMs: number, toMs: number) => ({ fromMs, toMs });
  const cores = [[pause(90, 105), pause(110, 111)], [pause(195, 230)]];
  t.same(longestTurn(turns, cores), { turnMs: 13, pausedMs: 30, lateMs: 40 });
  t.same(longestTurn({ ...turns, long: [] }, cores), { turnMs: 3, pausedMs: 0, lateMs: 40 });
  // It ran on one core: the pauses of two do not add up.
  const both = [[pause(200, 220)], [pause(220, 230)]];
  t.equal(longestTurn({ ...turns, long: [turn(200, 240, 38)] }, both).turnMs, 18);
});

t.test('who watches the cores ends with the server, or with the signal', async (t) => {
  const core = cpus().length - 1;
  const cores = canPinTo(core) ? [core] : [];
  const abort = new AbortController();
  const code = "process.on('message', () => process.send({ shortMs: 2, lateMs: 1, long: [] }));";
  const spawn = async (): Promise<PinnedProcess> => {
    const server = await PinnedProcess.spawn(null, [process.execPath, '-e', code], {
      withChannel: true,
    });
    t.teardown(() => server.kill());
    return server;
  };
  const first = await spawn();
  const watch = await TurnWatch.start(first, cores, abort.signal);
  t.same(await watch.longest(), { turnMs: 2, pausedMs: 0, lateMs: 1 });
  await first.kill();
  await t.rejects(watch.longest());
  const second = await TurnWatch.start(await spawn(), cores, abort.signal);
  abort.abort();
  if (cores.length > 0) await t.rejects(second.longest(), /ended with SIGKILL/);
});
