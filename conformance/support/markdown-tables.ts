/** Reads the tables of a Markdown page, so that a test can hold the page against the code. */

/** One table below a heading. */
export interface MarkdownTable {
  /** The text of the heading before it. */
  readonly heading: string;
  /** Cells by the name of their column. */
  readonly rows: readonly Readonly<Record<string, string>>[];
}

const HEADING = /^#+ (.*)$/;
const RULE = /^\|(?: ?:?-+:? ?\|)+$/;

/** The tables of a page, in order; a `|` inside of a cell is written `\|`. */
export function readTables(markdown: string): MarkdownTable[] {
  const tables: MarkdownTable[] = [];
  const lines = markdown.split('\n');
  let heading = '';
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    heading = HEADING.exec(line)?.[1] ?? heading;
    if (!line.startsWith('|') || !RULE.test(lines[at + 1] ?? '')) continue;
    const columns = cellsOf(line);
    const rows: Record<string, string>[] = [];
    for (at += 2; lines[at]?.startsWith('|'); at += 1) {
      const cells = cellsOf(lines[at] ?? '');
      if (cells.length !== columns.length)
        throw new Error(`not ${columns.length} cells: ${lines[at]}`);
      rows.push(Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? ''])));
    }
    tables.push({ heading, rows });
  }
  return tables;
}

/** The texts between backticks. */
export function codeIn(markdown: string): string[] {
  return Array.from(markdown.matchAll(/`([^`]+)`/g), (match) => match[1] ?? '');
}

function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}
