/**
 * @hot The headers of a channel's last publish, where they decide its route: most publishers send many messages with the
 * same headers, or one after the other, and to compare them costs a tenth of matching them.
 */
import { BasicPropertiesView } from '../../generated/index.ts';
import { type ByteArea, copyBytes, equalBytes, newByteArea } from '../base/byte-area.ts';
import { HeadersView } from '../routing/headers-view.ts';
import type { MessageParts } from '../storage/record-format.ts';

/** Headers of more octets are not kept. */
const KEPT_SIZE_MAX = 512;

/** Finds headers, and keeps those of one message. */
export class LastHeaders {
  /** Those of the message that was located last. Borrowed. */
  readonly view: HeadersView;
  private readonly properties: BasicPropertiesView;
  /** Null until some are kept. */
  private kept: ByteArea | null;
  /** -1: none are kept. */
  private keptSize: number;

  constructor() {
    this.view = new HeadersView();
    this.properties = new BasicPropertiesView();
    this.kept = null;
    this.keptSize = -1;
  }

  /** Shows where the headers of a message lie, whose properties have been checked. */
  locate({ head, propertiesAt, propertiesSize }: MessageParts): HeadersView {
    const { properties, view } = this;
    properties.reset(head.buf, propertiesAt, propertiesAt + propertiesSize);
    view.reset(head.buf, properties.headersAt());
    return view;
  }

  /** Whether those located, in `area`, are those kept. */
  isKept(area: ByteArea): boolean {
    const { at, end } = this.view;
    const { kept, keptSize } = this;
    return kept !== null && keptSize === end - at && equalBytes(kept, 0, area, at, keptSize);
  }

  /** Keeps those located, in `area`. */
  keep(area: ByteArea): void {
    const { at, end } = this.view;
    const size = end - at;
    this.keptSize = -1;
    if (size > KEPT_SIZE_MAX) return;
    this.kept ??= newByteArea(KEPT_SIZE_MAX);
    copyBytes(this.kept, 0, area, at, size);
    this.keptSize = size;
  }

  /** Keeps none. */
  forget(): void {
    this.keptSize = -1;
  }
}
