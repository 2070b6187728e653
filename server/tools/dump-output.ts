/**
 * What a dump consists of, and its two forms: text for people, JSON lines for programs. A printer makes items and
 * knows neither form.
 */
import type { TextSink } from '../base/text-sink.ts';
import { offsetOf, segmentOf } from '../storage/position.ts';

/** A value of a field: plain data. */
export type DumpValue =
  | string
  | number
  | boolean
  | null
  | LogPosition
  | readonly DumpValue[]
  | { readonly [key: string]: DumpValue };

/** One thing in a file: a header, a batch, a record, a damaged stretch. */
export interface DumpItem {
  /** What it is, as one word. */
  readonly kind: string;
  /** Where it begins in the file; null where that says nothing. */
  readonly offset: number | null;
  /** How many items it lies in. */
  readonly depth: number;
  readonly fields: Readonly<Record<string, DumpValue>>;
}

/** A position in a log: `SEGMENT:OFFSET` as text, a number in JSON. */
export class LogPosition {
  readonly position: number;

  constructor(position: number) {
    this.position = position;
  }

  toString(): string {
    return `${segmentOf(this.position)}:${offsetOf(this.position)}`;
  }

  toJSON(): number {
    return this.position;
  }
}

/** Takes the items of a dump. */
export interface DumpOutput {
  item(item: DumpItem): void;
  /** Something that is not as it must be; counted. */
  problem(offset: number | null, depth: number, reason: string): void;
  /** Resolves when more may be printed. */
  drained(): Promise<void>;
}

/** Writes items as lines of text or of JSON. */
export class DumpWriter implements DumpOutput {
  private readonly sink: TextSink;
  private readonly render: (item: DumpItem) => string;
  problems: number;

  constructor(sink: TextSink, json: boolean) {
    this.sink = sink;
    this.render = json ? renderJson : renderText;
    this.problems = 0;
  }

  item(item: DumpItem): void {
    this.sink.write(this.render(item));
  }

  problem(offset: number | null, depth: number, reason: string): void {
    this.problems++;
    this.item({ kind: 'damage', offset, depth, fields: { reason } });
  }

  drained(): Promise<void> {
    return this.sink.drained();
  }
}

function renderJson({ kind, offset, fields }: DumpItem): string {
  return `${JSON.stringify({ kind, ...(offset !== null && { offset }), ...fields })}\n`;
}

const OFFSET_WIDTH = 10;

function renderText({ kind, offset, depth, fields }: DumpItem): string {
  const margin = (offset === null ? '' : String(offset)).padStart(OFFSET_WIDTH);
  const texts = Object.entries(fields)
    .filter(([, value]) => !isEmpty(value))
    .map(([key, value]) => ` ${key}=${textOf(value)}`);
  return `${margin}  ${'  '.repeat(depth)}${kind}${texts.join('')}\n`;
}

/** True of lists and tables without entries, which say nothing to people. */
function isEmpty(value: DumpValue): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Text that needs no quotes. */
const PLAIN_TEXT = /^[\w.:/@+*#-]+$/;

function textOf(value: DumpValue): string {
  if (typeof value === 'string') return PLAIN_TEXT.test(value) ? value : quoted(value);
  if (value instanceof LogPosition) return String(value);
  if (Array.isArray(value)) {
    const values: readonly DumpValue[] = value;
    return `[${values.map(textOf).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${textOf(key)}: ${textOf(inner)}`)
      .join(', ')}}`;
  }
  return String(value);
}

/** In quotes and escaped, also where a terminal would take characters for commands. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A time as text; as the number it was where it is none. */
export function timeOf(wallMs: number): string | number {
  const time = new Date(wallMs);
  return Number.isNaN(time.getTime()) ? String(wallMs) : time.toISOString();
}
