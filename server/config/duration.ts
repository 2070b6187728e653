/** Times as people write them: `500ms`, `10s`, `1m`, or a plain number of milliseconds. */

const UNITS_MS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** The milliseconds that a text means, whole; null when it means none. */
export function parseDurationMs(text: string): number | null {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,3})?) ?([a-z]{0,2})$/i.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return null;
  const factor = UNITS_MS[unit.toLowerCase()];
  return factor === undefined ? null : Math.round(Number(digits) * factor);
}
