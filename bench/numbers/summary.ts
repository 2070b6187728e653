/**
 * The medians of a kept comparison as a short table, for pages that state them. Such a page has the table between two
 * comments, and a test compares it with the file:
 *
 *     <!-- npm run bench: bench/results/NAME.json -->
 *     ...
 *     <!-- end -->
 */
import { formatValue, type Unit } from '../storage/figure.ts';
import { spreadOf } from './samples.ts';

/** As much of a file that {@link writeResults} has written as the table needs. */
export interface SavedResults {
  readonly outcomes: readonly {
    readonly title: string;
    readonly broker: string;
    readonly figures: readonly {
      readonly what: string;
      readonly unit: Unit;
      readonly samples: readonly number[];
    }[];
  }[];
}

/** A table in a page, and the file that it is to be from. */
export interface StatedTable {
  readonly path: string;
  readonly table: string;
}

/** @throws Error when it is not the text of such a file. */
export function parseSavedResults(text: string): SavedResults {
  const saved: unknown = JSON.parse(text);
  if (!isSavedResults(saved)) throw new Error('not a file that the comparison has written');
  return saved;
}

/** A line for each figure, a column for each broker. */
export function formatSummary({ outcomes }: SavedResults): string {
  const brokers = [...new Set(outcomes.map(({ broker }) => broker))];
  const lines = new Map<string, Map<string, string>>();
  for (const { title, broker, figures } of outcomes) {
    for (const { what, unit, samples } of figures) {
      if (samples.length === 0) continue;
      const name = `${title}: ${what}`;
      const cells = lines.get(name) ?? new Map<string, string>();
      cells.set(broker, formatValue(spreadOf(samples).median, unit));
      lines.set(name, cells);
    }
  }
  return [
    tableLine(['medians', ...brokers]),
    tableLine(['---', ...brokers.map(() => '---')]),
    ...[...lines].map(([name, cells]) =>
      tableLine([name, ...brokers.map((broker) => cells.get(broker) ?? '')]),
    ),
  ].join('\n');
}

/** Every table of a page that says which file it is from. */
export function statedTables(page: string): StatedTable[] {
  const pattern = /<!-- npm run bench: (\S+) -->\n+([\s\S]*?)\n+<!-- end -->/g;
  return [...page.matchAll(pattern)].map(([, path = '', table = '']) => ({ path, table }));
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function isSavedResults(value: unknown): value is SavedResults {
  return (
    typeof value === 'object' &&
    value !== null &&
    'outcomes' in value &&
    Array.isArray(value.outcomes) &&
    value.outcomes.every(
      (outcome: unknown) =>
        typeof outcome === 'object' &&
        outcome !== null &&
        'title' in outcome &&
        'broker' in outcome &&
        'figures' in outcome,
    )
  );
}
