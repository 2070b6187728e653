/** Something that is not as it must be. */
export interface Finding {
  readonly path: string;
  /** Where in the file; null where that says nothing. */
  readonly offset: number | null;
  /** What it is, as the end of a sentence. */
  readonly reason: string;
}

/** One line of text. */
export function textOfFinding({ path, offset, reason }: Finding): string {
  return offset === null ? `${path}: ${reason}` : `${path}: at ${offset}: ${reason}`;
}
