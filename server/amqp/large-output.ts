/**
 * Large contents on their way to one connection: each body is read from its file piece by piece, as the socket
 * takes it, so that a body of any size costs the memory of a few pieces.
 *
 *     start: waiting ──> reading ──> ready ──> frames in the output ──> waiting ... ended
 *
 * - A channel has one content under way at most, and sends nothing else until it is complete (channel.ts). The
 *   contents of several channels take turns, piece by piece.
 * - Method and header frame leave with the first piece: a body that cannot be read at all leaves no trace.
 * - {@link PIECES_MAX} pieces are in memory at most, whatever the number of channels, besides what the output holds.
 */
import { FRAME_OVERHEAD } from '../../generated/index.ts';
import type { ByteArea } from '../base/byte-area.ts';
import type { LargeBodyReader } from '../storage/large-body-reader.ts';
import { StorageError } from '../storage/storage-error.ts';
import { writeBody } from './delivery-writer.ts';
import { type Output, SLAB_SIZE, type SlabPool } from './output.ts';

/** Pieces of a connection that are being read, or wait for room in its output. */
const PIECES_MAX = 2;

/** A peer that takes no output is not read when this many contents that it caused wait for it. */
const OWED_MAX = 16;

/** Whom a content belongs to: a channel. */
export interface LargeContentOwner {
  readonly number: number;
  /** The content is complete, or `error` says why it never will be; `hasBegun`: the peer has seen some of it. */
  largeContentEnded(error: StorageError | null, hasBegun: boolean): void;
}

/** One message with a large body. */
export interface LargeContent {
  readonly owner: LargeContentOwner;
  /** Method and header frame. */
  readonly head: Buffer;
  readonly body: LargeBodyReader;
  /** Called when it needs nothing any more, however it ended. */
  readonly released: () => void;
}

interface Piece {
  readonly content: LargeContent;
  readonly slab: ByteArea;
  readonly size: number;
}

/** The large contents of one connection. */
export class LargeOutput {
  /** Returns that are under way or wait for their turn: each keeps a file. */
  owedCount: number;
  private readonly output: Output;
  private readonly slabs: SlabPool;
  /** A frame is not larger than a slab, whatever the peer would take. */
  private readonly frameMax: number;
  /** Octets of body in a piece: as many whole frames as a slab of output holds. */
  private readonly pieceSize: number;
  /** Contents whose next piece is to be read, in turn. */
  private readonly waiting: LargeContent[];
  private readonly reading: Set<LargeContent>;
  /** Contents whose method has left. */
  private readonly begun: Set<LargeContent>;
  /** Pieces that wait for room. */
  private readonly ready: Piece[];
  private isClosed: boolean;

  constructor(output: Output, slabs: SlabPool, frameMax: number) {
    this.owedCount = 0;
    this.output = output;
    this.slabs = slabs;
    this.frameMax = Math.min(frameMax, SLAB_SIZE);
    this.pieceSize = Math.floor(SLAB_SIZE / this.frameMax) * (this.frameMax - FRAME_OVERHEAD);
    this.waiting = [];
    this.reading = new Set();
    this.begun = new Set();
    this.ready = [];
    this.isClosed = false;
  }

  /** Whether too much is owed for more to be taken from the peer. */
  get isOverdue(): boolean {
    return this.owedCount > OWED_MAX;
  }

  /** The content follows what its channel has sent; the channel has none under way. */
  start(content: LargeContent): void {
    this.waiting.push(content);
    this.advance();
  }

  /** There may be room in the output. */
  advance(): void {
    while (this.ready.length > 0 && this.hasRoom) this.write(this.ready.shift()!);
    while (this.waiting.length > 0 && this.reading.size + this.ready.length < PIECES_MAX) {
      this.read(this.waiting.shift()!);
    }
  }

  /** The connection is over: whatever is under way ends here, and nobody is told. */
  close(): void {
    this.isClosed = true;
    for (const content of [...this.waiting, ...this.reading]) release(content);
    for (const { content, slab } of this.ready) {
      release(content);
      this.slabs.release(slab);
    }
    this.waiting.length = 0;
    this.ready.length = 0;
  }

  /** Room: the socket has taken what it was given, and most of a slab is free. */
  private get hasRoom(): boolean {
    return !this.output.isBlocked && this.output.offset <= SLAB_SIZE / 2;
  }

  private read(content: LargeContent): void {
    this.reading.add(content);
    const slab = this.slabs.acquire(this.pieceSize);
    content.body.read(slab.buf, this.pieceSize).then(
      (size) => this.hasRead(content, slab, size),
      (error: unknown) => {
        this.slabs.release(slab);
        this.failed(content, error);
      },
    );
  }

  private hasRead(content: LargeContent, slab: ByteArea, size: number): void {
    this.reading.delete(content);
    if (this.isClosed) {
      this.slabs.release(slab);
      return;
    }
    this.ready.push({ content, slab, size });
    this.advance();
  }

  private failed(content: LargeContent, error: unknown): void {
    this.reading.delete(content);
    if (this.isClosed) return;
    const hasBegun = this.begun.delete(content);
    release(content);
    content.owner.largeContentEnded(StorageError.from('', 'read', error), hasBegun);
    this.advance();
  }

  private write({ content, slab, size }: Piece): void {
    const { output, frameMax } = this;
    const { owner, body, head } = content;
    if (!this.begun.has(content)) {
      this.begun.add(content);
      output.write(head);
    }
    const frames = Math.ceil(size / (frameMax - FRAME_OVERHEAD));
    const out = output.reserve(size + frames * FRAME_OVERHEAD);
    output.advance(writeBody(out, output.offset, owner.number, slab, 0, size, frameMax));
    this.slabs.release(slab);
    if (body.at < body.size) {
      this.waiting.push(content);
      return;
    }
    this.begun.delete(content);
    release(content);
    owner.largeContentEnded(null, true);
  }
}

function release(content: LargeContent): void {
  content.body.close();
  content.released();
}
