/** Sizes as people write them: `512MiB`, `50MB`, `1073741824`. The units are those of RabbitMQ's configuration. */

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  kb: 10 ** 3,
  m: 2 ** 20,
  mib: 2 ** 20,
  mb: 10 ** 6,
  g: 2 ** 30,
  gib: 2 ** 30,
  gb: 10 ** 9,
  t: 2 ** 40,
  tib: 2 ** 40,
  tb: 10 ** 12,
};

/** The bytes that a text means, whole; null when it means none. */
export function parseByteSize(text: string): number | null {
  const [, digits, unit] = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return null;
  const factor = UNITS[unit.toLowerCase()];
  return factor === undefined ? null : Math.round(Number(digits) * factor);
}
