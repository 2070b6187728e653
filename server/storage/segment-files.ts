/** Reads the files of a segment, whole or stretch by stretch, waiting: for recovery. */
import { ByteArea } from '../base/byte-area.ts';
import type { FileSystem, OpenFile } from './fs.ts';
import type { Segment } from './segment.ts';

/** Bytes of a stretch, where it need not be longer. */
const STRETCH_BYTES = 256 * 1024;

/** Bytes of a segment: the area's octet 0 is the one at the offset `start`, and `end` is behind the last. */
export interface SegmentStretch {
  readonly area: ByteArea;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads segments one after the other into the same memory. A page of memory that nobody used before takes the kernel
 * longer to find than what it then holds takes to read, on a virtual machine forty times as long: 130 ms for a whole
 * segment, and as long again when it is looked at. So who reads on and on reads in stretches.
 */
export class SegmentFiles {
  private readonly fs: FileSystem;
  private memory: Buffer;
  private stretchMemory: ByteArea;

  constructor(fs: FileSystem) {
    this.fs = fs;
    this.memory = Buffer.alloc(0);
    this.stretchMemory = new ByteArea(this.memory);
  }

  /** The bytes of a segment from the offset `start` on, `length` of them at least where there are so many. */
  stretch(segment: Segment, start: number, length: number = 0): SegmentStretch {
    const [first, second] = segment.files;
    if (first === undefined || second !== undefined || first.from !== 0) {
      const whole = this.read(segment, start);
      return { area: new ByteArea(whole), start: 0, end: whole.length };
    }
    const file = this.fs.openForReading(first.path);
    try {
      const wanted = Math.max(0, Math.min(Math.max(length, STRETCH_BYTES), file.size() - start));
      if (wanted > this.stretchMemory.buf.length) {
        this.stretchMemory = new ByteArea(Buffer.allocUnsafeSlow(wanted));
      }
      readInto(file, this.stretchMemory.buf, wanted, start);
      return { area: this.stretchMemory, start, end: start + wanted };
    } finally {
      file.close();
    }
  }

  /**
   * The bytes of a segment, each offset from the file that holds it, until the next call. Those before the offset
   * `start` are not asked for: they may be anything.
   */
  read({ files }: Segment, start: number = 0): Buffer {
    if (files.length === 1 && files[0]!.from === 0) return this.readFrom(files[0]!.path, start);
    const pieces: Buffer[] = [];
    let at = 0;
    for (let i = 0; i < files.length; i++) {
      const { path, from } = files[i]!;
      const bytes = this.fs.readFile(path) ?? Buffer.alloc(0);
      if (from > at) pieces.push(Buffer.alloc(from - at));
      const piece = bytes.subarray(from, files[i + 1]?.from);
      pieces.push(piece);
      at = from + piece.length;
    }
    return Buffer.concat(pieces);
  }

  private readFrom(path: string, start: number): Buffer {
    const file = this.fs.openForReading(path);
    try {
      const size = file.size();
      if (this.memory.length < size) this.memory = Buffer.allocUnsafeSlow(size);
      const bytes = this.memory.subarray(0, size);
      readInto(file, bytes.subarray(start), size - start, start);
      return bytes;
    } finally {
      file.close();
    }
  }
}

/** Reads `length` bytes at `position`; what is not there is zero. */
function readInto(file: OpenFile, buf: Buffer, length: number, position: number): void {
  let done = 0;
  while (done < length) {
    const count = file.readNow(buf, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  if (done < length) buf.fill(0, done, length);
}
