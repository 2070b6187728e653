/**
 * What a command says while it runs: a line a second, and on a terminal below the lines how far it is.
 *
 *     published 1203441/s, consumed 1198210/s, 99 % within 0.412 ms
 *     [########            ] 40 %, 4 of 10 s
 */

const BAR_WIDTH = 20;
/** To the first column, and nothing left of what stood there. */
const CLEAR_LINE = '\r\x1b[K';

/** Where it goes: standard output, or what a test gives. */
export interface LiveStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How far a run is. */
export interface LiveProgress {
  /** 0 to 1; null: the run has no end of its own. */
  readonly share: number | null;
  /** What the share is of, for people. */
  readonly text: string;
}

/** Of one run. */
export class LiveReport {
  private readonly stream: LiveStream | null;

  /** @param stream null: nothing is said */
  constructor(stream: LiveStream | null) {
    this.stream = stream;
  }

  /** Says what the last second brought. */
  show(line: string, progress: LiveProgress): void {
    const { stream } = this;
    if (stream === null) return;
    if (!stream.isTTY) {
      stream.write(`${line}\n`);
      return;
    }
    stream.write(`${CLEAR_LINE}${line}\n${formatProgress(progress)}`);
  }

  /** Takes the progress away: what follows is the summary. */
  end(): void {
    if (this.stream?.isTTY) this.stream.write(CLEAR_LINE);
  }
}

function formatProgress({ share, text }: LiveProgress): string {
  if (share === null) return text;
  const bounded = Math.min(1, share);
  const filled = Math.floor(bounded * BAR_WIDTH);
  const bar = '#'.repeat(filled).padEnd(BAR_WIDTH);
  return `[${bar}] ${Math.floor(bounded * 100)} %, ${text}`;
}
