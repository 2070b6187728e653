/** One session of a fuzz run: by which door it comes, what it sends in which pieces, and how it leaves. */

/** Where a session knocks, and what speaks there. */
export type Door =
  /** AMQP, over plain TCP. */
  | 'amqp'
  /** The same from an address that is trusted as a proxy: a PROXY header may come first. */
  | 'amqp-proxied'
  /** AMQP inside of a TLS session that is in order. */
  | 'tls'
  /** The port for AMQPS, with bytes that are sent as they are. */
  | 'amqps'
  /** The same from a proxy. */
  | 'amqps-proxied'
  | 'http';

/** How the client leaves once everything is sent. */
export type Leaving =
  /** It closes the connection of AMQP as the protocol says, and waits for the answer. */
  | 'close'
  /** It ends its side of the socket. */
  | 'end'
  /** It drops the socket: with a reset where there is no TLS. */
  | 'reset';

/** A session. */
export interface FuzzCase {
  readonly door: Door;
  /** Everything that is sent, frame by frame as far as it consists of frames. */
  readonly frames: readonly Buffer[];
  /** Sizes of the pieces in which it is written, again and again from the first; empty: all at once. */
  readonly pieceSizes: readonly number[];
  readonly leaving: Leaving;
}

/** A session as it is kept in a file. */
export interface StoredCase extends Omit<FuzzCase, 'frames'> {
  readonly title: string;
  /** Hexadecimal. */
  readonly frames: readonly string[];
}

export function storeCase(title: string, played: FuzzCase): StoredCase {
  return { title, ...played, frames: played.frames.map((frame) => frame.toString('hex')) };
}

export function restoreCase({ door, frames, pieceSizes, leaving }: StoredCase): FuzzCase {
  return {
    door,
    frames: frames.map((frame) => Buffer.from(frame, 'hex')),
    pieceSizes,
    leaving,
  };
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
