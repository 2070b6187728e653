/** The headers of a message as they lie in a buffer: a field table that has been checked (`checkFieldTable`). Borrowed. */
import { readU32 } from '../../codegen/runtime/bytes.ts';

const NO_BYTES = Buffer.alloc(0);

/** Where a message's headers lie. */
export class HeadersView {
  buf: Buffer;
  /** The first entry. */
  at: number;
  /** Behind the last entry. */
  end: number;

  constructor() {
    this.buf = NO_BYTES;
    this.at = 0;
    this.end = 0;
  }

  /** Shows the table whose u32 length is at `at`; -1: a message without headers. */
  reset(buf: Buffer, at: number): void {
    this.buf = buf;
    this.at = at < 0 ? 0 : at + 4;
    this.end = at < 0 ? 0 : this.at + readU32(buf, at);
  }
}

/** No headers; nobody resets it. */
export const NO_HEADERS: Readonly<HeadersView> = new HeadersView();
