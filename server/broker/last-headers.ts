/**
 * @hot The headers of a channel's last publish, where they decide its route: most publishers send many messages with the
 * same headers, or one after the other, and to compare them costs a tenth of matching them.
 */
import { BasicPropertiesView } from '../../generated/index.ts';
import type { ByteArea } from '../base/byte-area.ts';
import { KeptBytes } from '../base/kept-bytes.ts';
import { HeadersView } from '../routing/headers-view.ts';
import type { MessageParts } from '../storage/record-format.ts';

/** Headers of more octets are not kept. */
const KEPT_SIZE_MAX = 512;

/** Finds headers, and keeps those of one message. */
export class LastHeaders {
  /** Those of the message that was located last. Borrowed. */
  readonly view: HeadersView;
  private readonly properties: BasicPropertiesView;
  private readonly kept: KeptBytes;

  constructor() {
    this.view = new HeadersView();
    this.properties = new BasicPropertiesView();
    this.kept = new KeptBytes(KEPT_SIZE_MAX);
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
    return this.kept.equals(area, at, end - at);
  }

  /** Keeps those located, in `area`. */
  keep(area: ByteArea): void {
    const { at, end } = this.view;
    this.kept.keep(area, at, end - at);
  }

  /** Keeps none. */
  forget(): void {
    this.kept.forget();
  }
}
