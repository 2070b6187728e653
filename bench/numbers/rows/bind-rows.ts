/** Rows of binding and unbinding on one connection, each answer awaited: `firnmqperf bind-churn`. */
import type { OperationFigure } from '../../operations/operation-meter.ts';
import type { Row } from '../row.ts';
import type { Cost } from '../row-figure.ts';
import type { Generated } from '../row-run.ts';

function bindRow(id: string, durable: boolean, bound: number): Row {
  const kind = durable ? 'durable' : 'non-durable';
  return {
    id,
    title: `binding, then unbinding, one by one, ${kind} queue`,
    consumesAtOnce: false,
    measure: async (run) => {
      const goal = { kind: 'at least', bound, of: 'median' } as const;
      const figures = ['bound', 'unbound'].map((what) => run.figure(what, '/s', goal));
      const kindFlag = durable ? '--durable' : '--transient';
      const flags = [kindFlag, '--awake', '-z', String(run.settings.seconds)];
      await run.repeat(async () => {
        const generated = await run.generate('bind-churn', flags);
        const operations = operationsOf(generated);
        const cost = costOf(generated, operations);
        for (const [i, figure] of figures.entries()) figure.add(operations[i]?.rate ?? 0, cost);
      });
    },
  };
}

/** What a churn has printed. @throws Error when it is something else */
function operationsOf({ result }: Generated): readonly OperationFigure[] {
  if (typeof result !== 'object' || result === null || !('figures' in result)) {
    throw new Error(`not a result of a churn: ${JSON.stringify(result)}`);
  }
  const { figures } = result;
  if (!Array.isArray(figures) || !figures.every(isOperationFigure)) {
    throw new Error(`not the figures of a churn: ${JSON.stringify(figures)}`);
  }
  return figures;
}

function isOperationFigure(value: unknown): value is OperationFigure {
  return (
    typeof value === 'object' && value !== null && 'rate' in value && 'generatorCpuSeconds' in value
  );
}

/** Of both kinds together. */
function costOf(generated: Generated, operations: readonly OperationFigure[]): Cost {
  const count = Math.max(
    1,
    sum(operations, (figure) => figure.count),
  );
  const { serverCpuSeconds, serverMemoryBytes, loopDelayP99Ms } = generated;
  return {
    serverNsPerMessage: serverCpuSeconds === null ? null : (serverCpuSeconds * 1e9) / count,
    // A generator that never sleeps has always the whole core.
    generatorNsPerMessage: null,
    generatorShare: null,
    serverMemoryBytes,
    loopDelayP99Ms,
  };
}

function sum(
  operations: readonly OperationFigure[],
  value: (figure: OperationFigure) => number,
): number {
  return operations.reduce((total, figure) => total + value(figure), 0);
}

/** In the order in which they run. */
export const BIND_ROWS: readonly Row[] = [
  bindRow('bind', false, 30_000),
  bindRow('bind-durable', true, 8000),
];
