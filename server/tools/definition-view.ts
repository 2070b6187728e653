/** A definition's frame as a method with its arguments. */
import { ByteReader, decodeMethod, FRAME_HEADER_SIZE } from '../../generated/index.ts';
import type { DumpValue } from './dump-output.ts';
import { jsonOfTable } from './message-view.ts';

/** The method in a frame and what it says; what keeps it from being one, in `problem`. */
export interface DefinitionView {
  readonly fields: Readonly<Record<string, DumpValue>>;
  readonly problem: string | null;
}

/** Reads a method frame of a definition. */
export function readDefinitionView(frame: Buffer): DefinitionView {
  try {
    const id = frame.readUInt32BE(FRAME_HEADER_SIZE);
    const reader = new ByteReader(frame, FRAME_HEADER_SIZE + 4, frame.length - 1);
    const method = decodeMethod(id, reader);
    if (method === null) return unreadable(frame, `no method has the id ${id}`);
    return { fields: { method: method.name, ...argumentsOf(method.args) }, problem: null };
  } catch (error) {
    return unreadable(frame, error instanceof Error ? error.message : String(error));
  }
}

function unreadable(frame: Buffer, problem: string): DefinitionView {
  return { fields: { frame: frame.toString('base64') }, problem: `not a method: ${problem}` };
}

/** Flags that are off, and `no-wait`, which nobody waits for, say nothing. */
function argumentsOf(args: object): Record<string, DumpValue> {
  const fields: Record<string, DumpValue> = {};
  const entries: readonly (readonly [string, unknown])[] = Object.entries(args);
  for (const [name, value] of entries) {
    if (value === false || name === 'noWait') continue;
    const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (value instanceof Map) fields[key] = jsonOfTable(value);
    else if (Buffer.isBuffer(value)) fields[key] = value.toString('utf8');
    else if (typeof value === 'string' || typeof value === 'number' || value === true) {
      fields[key] = value;
    }
  }
  return fields;
}
