/** A content that comes in pieces: where its end is, and what its observer is to see of it. */
import type { DeliveryObserver } from './delivery-observer.ts';

/** Of one channel; one content after the other. */
export class SplitContent {
  /** null: nobody looks into bodies. */
  private readonly observer: DeliveryObserver | null;
  /** Octets still to come; -1 before the header. */
  private left: number;
  private isRedelivered: boolean;

  constructor(observer: DeliveryObserver | null) {
    this.observer = observer;
    this.left = -1;
    this.isRedelivered = false;
  }

  /** The method came. */
  begin(isRedelivered: boolean): void {
    this.left = -1;
    this.isRedelivered = isRedelivered;
  }

  /** The header came; returns whether the content is whole with it. */
  header(bodySizeBytes: number): boolean {
    this.left = bodySizeBytes;
    this.observer?.begin(bodySizeBytes, this.isRedelivered);
    return this.endsHere(true);
  }

  /** A piece of the body came, see TrafficSink; returns whether the content is whole with it. */
  piece(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): boolean {
    this.left -= sizeBytes;
    this.observer?.piece(buf, start, sizeBytes);
    return this.endsHere(isFrameEnd);
  }

  private endsHere(isFrameEnd: boolean): boolean {
    if (this.left !== 0 || !isFrameEnd) return false;
    this.left = -1;
    this.observer?.end();
    return true;
  }
}
