/** The table of scenario and client: as the documentation has it, and as a run fills it. */
import { INTEROP_CLIENTS, type InteropClientEntry } from './clients.ts';
import { CELERY_SCENARIOS, SCENARIOS, type Scenario, type ScenarioName } from './scenarios.ts';

/** The cell of a scenario that was not asked for. */
export const NOT_RUN = '-';

/** What the cell of a scenario and a client says. */
export type Cell = (client: InteropClientEntry, scenario: ScenarioName) => string;

/**
 * What docs/CONFORMANCE.md says about the scenarios: each with what must hold, who goes through it, and
 * why the others do not.
 */
export function documentation(): string {
  return [
    ...describe(SCENARIOS),
    '',
    'With Celery:',
    '',
    ...describe(CELERY_SCENARIOS),
    '',
    ...tableOf(SCENARIOS, plannedCell),
    '',
    'Why cells are empty:',
    '',
    ...INTEROP_CLIENTS.flatMap(describeGaps),
  ].join('\n');
}

/** The scenarios and clients of a run, in columns of the same width; without the scenarios that nobody ran. */
export function resultsOf(clients: readonly InteropClientEntry[], cell: Cell): string {
  return [SCENARIOS, CELERY_SCENARIOS]
    .map((scenarios) => rowsOf(scenarios, clients, cell))
    .map((rows) => rows.filter((cells) => cells.slice(1).some((text) => text !== NOT_RUN)))
    .filter((rows) => rows.length > 1)
    .map((rows) => padded(rows).join('\n'))
    .join('\n\n');
}

function describe(scenarios: readonly Scenario[]): string[] {
  return scenarios.map(({ name, holds }) => `- \`${name}\`: ${holds}.`);
}

/** One line for all that a client cannot do for one reason. */
function describeGaps({ name, gaps }: InteropClientEntry): string[] {
  const entries = Object.entries(gaps);
  return [...new Set(entries.map(([, reason]) => reason))].map((reason) => {
    const scenarios = entries.filter(([, other]) => other === reason).map(([scenario]) => scenario);
    return `- ${name}: ${reason} (${scenarios.join(', ')})`;
  });
}

function plannedCell({ gaps }: InteropClientEntry, scenario: ScenarioName): string {
  return gaps[scenario] === undefined ? 'x' : '';
}

function tableOf(scenarios: readonly Scenario[], cell: Cell): string[] {
  const [heads = [], ...rows] = rowsOf(scenarios, INTEROP_CLIENTS, cell);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)];
}

function rowsOf(
  scenarios: readonly Scenario[],
  clients: readonly InteropClientEntry[],
  cell: Cell,
): string[][] {
  const columns = clients.filter((client) => client.scenarios === scenarios);
  return [
    ['scenario', ...columns.map(({ name }) => name)],
    ...scenarios.map(({ name }) => [name, ...columns.map((client) => cell(client, name))]),
  ];
}

function padded(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) =>
    cells
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
