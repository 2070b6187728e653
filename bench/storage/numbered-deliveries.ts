/**
 * @hot Hands over each delivery's tag and the number in its body, whether it lies whole in the read buffer or came
 * in pieces. A body's number is its last four octets, big-endian; shorter bodies have one nobody should look at.
 */
import {
  BASIC_CANCEL_ID,
  BASIC_DELIVER_ID,
  basicDeliverDeliveryTag,
  METHOD_ID_SIZE,
} from '../../generated/index.ts';
import { contentEnd } from '../amqp/content-end.ts';
import type { TrafficConnection, TrafficSink } from '../amqp/traffic-scanner.ts';

const NUMBER_BYTES = 4;

/** Takes deliveries. */
export interface DeliverySink {
  onDelivery(deliveryTag: number, bodyNumber: number): void;
  /** All that one read brought has been handed over. */
  onReadEnd(): void;
}

/** Sits between a connection and a sink. */
export class NumberedDeliveries implements TrafficSink {
  private readonly sink: DeliverySink;
  /** Of the delivery that comes in pieces. */
  private deliveryTag: number;
  /** Of its body; -1 before its header. */
  private bodyLeft: number;
  private bodyNumber: number;

  constructor(connection: TrafficConnection, sink: DeliverySink) {
    this.sink = sink;
    this.deliveryTag = 0;
    this.bodyLeft = -1;
    this.bodyNumber = 0;
    connection.setTraffic(this);
  }

  /** HOT per delivery. One at a time is enough here: it costs the server more. */
  onMethod(methodId: number, buf: Buffer, start: number, end: number, limit: number): number {
    if (methodId !== BASIC_DELIVER_ID) {
      if (methodId === BASIC_CANCEL_ID) throw new Error('the broker cancelled the consumer');
      return -1;
    }
    const deliveryTag = basicDeliverDeliveryTag(buf, start + METHOD_ID_SIZE);
    const next = contentEnd(buf, end + 1, limit);
    if (next < 0) {
      this.deliveryTag = deliveryTag;
      this.bodyLeft = -1;
      this.bodyNumber = 0;
      return end + 1;
    }
    this.sink.onDelivery(deliveryTag, buf.readUInt32BE(next - 1 - NUMBER_BYTES));
    return next;
  }

  onContentHeader(bodySizeBytes: number): void {
    this.bodyLeft = bodySizeBytes;
    if (bodySizeBytes === 0) this.sink.onDelivery(this.deliveryTag, 0);
  }

  onBody(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): void {
    const end = start + sizeBytes;
    for (let at = Math.max(start, end - NUMBER_BYTES); at < end; at++) {
      this.bodyNumber = ((this.bodyNumber << 8) | buf[at]!) >>> 0;
    }
    this.bodyLeft -= sizeBytes;
    if (this.bodyLeft === 0 && isFrameEnd) this.sink.onDelivery(this.deliveryTag, this.bodyNumber);
  }

  onReadEnd(): void {
    this.sink.onReadEnd();
  }
}
