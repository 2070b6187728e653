/** One session of a fuzz run: what a client sends, in which pieces, and how it leaves. */

/** How the client leaves once everything is sent. */
export type Leaving =
  /** It closes the connection as the protocol says, and waits for the answer. */
  | 'close'
  /** It resets the socket. */
  | 'reset';

/** A session. */
export interface FuzzCase {
  /** Everything that is sent, frame by frame as far as it consists of frames. */
  readonly frames: readonly Buffer[];
  /** Sizes of the pieces in which it is written, again and again from the first; empty: all at once. */
  readonly pieceSizes: readonly number[];
  readonly leaving: Leaving;
}

/** A session as it is kept in a file. */
export interface StoredCase {
  readonly title: string;
  /** Hexadecimal. */
  readonly frames: readonly string[];
  readonly pieceSizes: readonly number[];
  readonly leaving: Leaving;
}

export function storeCase(title: string, { frames, pieceSizes, leaving }: FuzzCase): StoredCase {
  return { title, frames: frames.map((frame) => frame.toString('hex')), pieceSizes, leaving };
}

export function restoreCase({ frames, pieceSizes, leaving }: StoredCase): FuzzCase {
  return { frames: frames.map((frame) => Buffer.from(frame, 'hex')), pieceSizes, leaving };
}

/** The pieces in which a session's bytes are written; many tiny ones become few, so that a session ends. */
export function piecesOf({ frames, pieceSizes }: FuzzCase): Buffer[] {
  const bytes = Buffer.concat(frames);
  if (pieceSizes.length === 0) return [bytes];
  const pieces: Buffer[] = [];
  let at = 0;
  while (at < bytes.length && pieces.length < PIECES_MAX) {
    const size = pieceSizes[pieces.length % pieceSizes.length]!;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  pieces.push(bytes.subarray(at));
  return pieces;
}

const PIECES_MAX = 200;
