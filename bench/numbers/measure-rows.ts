/** Measures every row on every broker: a row on all brokers in turn before the next, so that they meet the same machine. */
import { BenchConnection } from '../amqp/bench-connection.ts';
import type { StartOptions, Target } from '../targets/target.ts';
import { plainCommandLine } from './command-lines.ts';
import { type Row, RowSkipped } from './row.ts';
import type { RowFigure } from './row-figure.ts';
import { RowRun, type RunSettings } from './row-run.ts';

/** A broker, started in one of its ways. */
export interface Contestant {
  readonly target: Target;
  readonly startOptions: StartOptions;
  /** As the report names it. */
  readonly name: string;
}

/** What became of a row on a broker. Figures have what was measured before it failed. */
export interface RowOutcome {
  readonly row: Row;
  readonly contestant: Contestant;
  /** Product and version as the broker names itself; empty where it could not be asked. */
  readonly product: string;
  readonly figures: readonly RowFigure[];
  readonly commands: readonly string[];
  /** Why it was not measured to its end; null: it was. */
  readonly failure: string | null;
  readonly skipped: string | null;
}

/** Who watches. */
export interface MeasureObserver {
  readonly onRow: (row: Row, contestant: Contestant) => void;
  readonly onOutcome: (outcome: RowOutcome) => void;
}

/** Measures; never rejects for what a row does. The last target is the one that others are compared with. */
export async function measureRows(
  rows: readonly Row[],
  targets: readonly Target[],
  settings: RunSettings,
  observer: MeasureObserver | null = null,
): Promise<RowOutcome[]> {
  const outcomes: RowOutcome[] = [];
  for (const row of rows) {
    for (const contestant of targets.flatMap((target) => contestantsOf(row, target))) {
      if (settings.signal.aborted) return outcomes;
      observer?.onRow(row, contestant);
      const outcome = await measureRow(row, contestant, settings, outcomes);
      observer?.onOutcome(outcome);
      outcomes.push(outcome);
    }
  }
  return outcomes;
}

/** The ways in which a broker is measured in a row. */
function contestantsOf(row: Row, target: Target): Contestant[] {
  const withTls = row.needsTls === true;
  const startOptions = { writesConsumed: false, withTls, isUnwatched: row.isUnwatched === true };
  const asItIs = { target, startOptions, name: target.name };
  if (!row.consumesAtOnce || !target.canWriteConsumed) return [asItIs];
  const name = `${target.name}, all written`;
  return [asItIs, { target, startOptions: { ...startOptions, writesConsumed: true }, name }];
}

async function measureRow(
  row: Row,
  contestant: Contestant,
  settings: RunSettings,
  before: readonly RowOutcome[],
): Promise<RowOutcome> {
  const { target, startOptions } = contestant;
  const medianElsewhere = (rowId: string): number | null =>
    before.find(
      (outcome) => outcome.row.id === rowId && outcome.contestant.name === contestant.name,
    )?.figures[0]?.median ?? null;
  let run: RowRun | null = null;
  let product = '';
  const end = (failure: string | null, skipped: string | null): RowOutcome => ({
    row,
    contestant,
    product,
    figures: run?.figures ?? [],
    commands: run?.commands ?? [],
    failure,
    skipped,
  });
  try {
    run = await RowRun.begin(settings, target, startOptions, medianElsewhere);
    product = await askProduct(run);
    await row.measure(run);
    return end(null, null);
  } catch (error) {
    const message = plainCommandLine(error instanceof Error ? error.message : String(error));
    return error instanceof RowSkipped ? end(null, message) : end(message, null);
  } finally {
    await run?.dispose();
  }
}

async function askProduct(run: RowRun): Promise<string> {
  const connection = await BenchConnection.open(run.uri, 'firnmqperf numbers');
  await connection.close();
  return connection.broker;
}
