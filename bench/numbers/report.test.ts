import t from 'tap';
import type { RunSample, TargetSamples } from './measure-target.ts';
import { formatReport } from './report.ts';
import type { Row } from './rows.ts';

const ROW: Row = { id: 'r', title: 'a row', flags: [], drains: null, rate: () => 0 };

function sample(rate: number, serverCpuNsPerMessage: number | null): RunSample {
  return {
    rate,
    serverCpuNsPerMessage,
    result: {
      broker: 'b',
      elapsedSeconds: 1,
      published: 1000,
      publishSeconds: 1,
      publishRate: rate,
      consumed: 900,
      consumeSeconds: 1,
      consumeRate: rate,
      confirmed: 0,
      nacked: 0,
      committed: 0,
      confirmLatency: null,
      commitLatency: null,
      latency: null,
      behindSchedule: 0,
      verification: null,
      ready: 100,
      generatorCpuSeconds: 1,
      generatorCpuShare: 0.95,
      generatorCpuNsPerMessage: 44,
      generatorPacingSeconds: 0,
    },
  };
}

function target(name: string, runs: readonly RunSample[], startupMs: number[]): TargetSamples {
  return { name, broker: name, startupMs, runs: new Map([['r', runs]]) };
}

t.test(
  'a row tells medians, spread, the ratio to the last broker and what limited it',
  async (t) => {
    const fast = target('fast', [sample(5e6, 200), sample(4e6, 100), sample(6e6, 300)], [100]);
    const slow = target('slow', [sample(250_000, null)], [2000, 3000, 1000]);
    const lines = formatReport(['where it ran'], [ROW], [fast, slow]).split('\n');
    t.same(lines.filter((line) => !line.startsWith('| ---')).slice(0, -1), [
      '- where it ran',
      '',
      '| row | broker | median | min to max | times the last | server CPU ns/msg | generator CPU ns/msg | remarks |',
      '| a row | fast | 5.00 M/s | 4.00 M to 6.00 M | 20.0 | 200 | 44 | left in the queue 10.0 %, the generator was the limit |',
      '| a row | slow | 250.0 k/s | 250.0 k to 250.0 k |  |  | 44 | left in the queue 10.0 %, the generator was the limit |',
      '| start of the process to connection.open-ok, empty directory | fast | 0.10 s | 0.10 s to 0.10 s | 0.05 |  |  |  |',
      '| start of the process to connection.open-ok, empty directory | slow | 2.00 s | 1.00 s to 3.00 s |  |  |  |  |',
    ]);
  },
);

t.test('a row that was not measured says so', async (t) => {
  const report = formatReport([], [ROW], [{ ...target('x', [], []), runs: new Map() }]);
  t.match(report, '| a row | x |  |  |  |  |  | not measured |');
});
