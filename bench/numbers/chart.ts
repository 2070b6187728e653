/** The comparison as a picture: for each figure a bar for every broker, and a line where the goal is. SVG, as text. */
import { formatValue } from '../storage/figure.ts';
import type { RowOutcome } from './measure-rows.ts';
import type { RowFigure } from './row-figure.ts';

const WIDTH = 900;
const MARGIN = 16;
const LABEL_WIDTH = 150;
const VALUE_WIDTH = 110;
const BAR_WIDTH = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH;
const BAR_HEIGHT = 14;
const BAR_STEP = 18;
const TITLE_HEIGHT = 24;
const PANEL_GAP = 14;

/** All bars of one figure; they share a scale. */
interface Panel {
  readonly title: string;
  readonly bars: {
    readonly outcome: RowOutcome;
    readonly figure: RowFigure;
    readonly value: number;
  }[];
}

/** Draws all medians. A figure that was not measured is left out. */
export function drawChart(outcomes: readonly RowOutcome[]): string {
  const parts: string[] = [];
  let y = MARGIN;
  for (const panel of collectPanels(outcomes)) {
    parts.push(...drawPanel(panel, y));
    y += TITLE_HEIGHT + panel.bars.length * BAR_STEP + PANEL_GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">`,
    '<style>.ours{fill:#0b7285}.written{fill:#66a9b8}.other{fill:#adb5bd}.goal{stroke:#e03131;stroke-width:2}</style>',
    `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function collectPanels(outcomes: readonly RowOutcome[]): Panel[] {
  const panels = new Map<string, Panel>();
  for (const outcome of outcomes) {
    for (const figure of outcome.figures) {
      if (figure.median === null) continue;
      const title = `${outcome.row.title}: ${figure.figure.what}`;
      const panel = panels.get(title) ?? { title, bars: [] };
      panel.bars.push({ outcome, figure, value: figure.median });
      panels.set(title, panel);
    }
  }
  return [...panels.values()];
}

function drawPanel({ title, bars }: Panel, top: number): string[] {
  const goals = bars.flatMap(({ outcome, figure }) =>
    outcome.contestant.target.isOurs && figure.figure.goal !== null
      ? [figure.figure.goal.bound]
      : [],
  );
  const largest = Math.max(...bars.map(({ value }) => value), ...goals, Number.MIN_VALUE);
  const x = (value: number): string =>
    (MARGIN + LABEL_WIDTH + (value / largest) * BAR_WIDTH).toFixed(1);
  const lines = [
    `<text x="${MARGIN}" y="${top + 14}" font-weight="bold">${escapeXml(title)}</text>`,
  ];
  bars.forEach(({ outcome, figure, value }, i) => {
    const barTop = top + TITLE_HEIGHT + i * BAR_STEP;
    const textY = barTop + BAR_HEIGHT - 3;
    const width = Math.max(1, (value / largest) * BAR_WIDTH).toFixed(1);
    lines.push(
      `<text x="${MARGIN}" y="${textY}">${escapeXml(outcome.contestant.name)}</text>`,
      `<rect class="${barClass(outcome)}" x="${x(0)}" y="${barTop}" width="${width}" height="${BAR_HEIGHT}"/>`,
      `<text x="${WIDTH - MARGIN}" y="${textY}" text-anchor="end">${formatValue(value, figure.figure.unit)}</text>`,
    );
  });
  const bottom = top + TITLE_HEIGHT + bars.length * BAR_STEP;
  for (const goal of new Set(goals)) {
    lines.push(
      `<line class="goal" x1="${x(goal)}" y1="${top + TITLE_HEIGHT - 3}" x2="${x(goal)}" y2="${bottom}"/>`,
    );
  }
  return lines;
}

function barClass({ contestant }: RowOutcome): string {
  if (!contestant.target.isOurs) return 'other';
  return contestant.startOptions.writesConsumed ? 'written' : 'ours';
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
