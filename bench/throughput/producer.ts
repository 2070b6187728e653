/**
 * @hot One producer: writes its block of encoded publishes as fast as the socket, the confirm window and
 * the rate allow.
 *
 * Invariants
 * - At most one block (256 KiB, or one message) waits in this process: the next is written only when the
 *   socket has taken the last, so that what counts as published has left the producer.
 * - A turn of the event loop writes a bounded amount; consumers in the same process get their turn.
 *
 * It counts messages only; what the broker took is known when {@link Producer.finish} resolves.
 */
import { performance } from 'node:perf_hooks';
import {
  BASIC_ACK_ID,
  BASIC_NACK_ID,
  basicAckDeliveryTag,
  basicAckMultiple,
} from '../../generated/index.ts';
import { type MessageBlock, messagesView } from '../amqp/message-block.ts';
import type { TrafficConnection, TrafficSink } from '../amqp/traffic-scanner.ts';
import type { ConfirmWindow } from './confirm-window.ts';
import type { Quota } from './quota.ts';

const WRITES_PER_TURN_MAX = 4;
const PACE_INTERVAL_MS = 1;
const METHOD_ID_BYTES = 4;

/** Publishes over a connection of its own. */
export class Producer implements TrafficSink {
  /** Messages handed to the socket. */
  published: number;
  /** Resolves when nothing more will be published and all is confirmed, where confirms are on. */
  readonly whenIdle: Promise<void>;
  private readonly connection: TrafficConnection;
  private readonly block: MessageBlock;
  private readonly quota: Quota;
  /** null: no confirms. */
  private readonly window: ConfirmWindow | null;
  /** Messages per millisecond; Infinity: as many as possible. */
  private readonly ratePerMs: number;
  private startedMs: number;
  private isStopped: boolean;
  /** True while something will call {@link pump}: an immediate, a timer or the socket. */
  private isAwake: boolean;
  private resolveIdle: () => void;
  private readonly pumpLater: () => void;

  /**
   * @param publishRate messages a second; 0: as many as possible
   * @param window null: no confirms; otherwise the channel is in confirm mode
   */
  constructor(
    connection: TrafficConnection,
    block: MessageBlock,
    quota: Quota,
    publishRate: number,
    window: ConfirmWindow | null,
  ) {
    this.published = 0;
    this.connection = connection;
    this.block = block;
    this.quota = quota;
    this.window = window;
    this.ratePerMs = publishRate === 0 ? Number.POSITIVE_INFINITY : publishRate / 1000;
    this.startedMs = 0;
    this.isStopped = false;
    this.isAwake = false;
    this.resolveIdle = () => {};
    this.whenIdle = new Promise((resolve) => {
      this.resolveIdle = resolve;
    });
    this.pumpLater = () => {
      this.isAwake = false;
      this.pump();
    };
    connection.setTraffic(this);
  }

  start(): void {
    this.startedMs = performance.now();
    this.pump();
  }

  /** Publishes nothing more. */
  stop(): void {
    this.isStopped = true;
    this.resolveIfIdle();
  }

  /** Stops; resolves when the broker has confirmed and handled what was published. */
  async finish(): Promise<void> {
    this.stop();
    await this.whenIdle;
    await this.connection.closeChannel();
  }

  onMethod(methodId: number, buf: Buffer, start: number, end: number): number {
    if (this.window === null || (methodId !== BASIC_ACK_ID && methodId !== BASIC_NACK_ID))
      return -1;
    const at = start + METHOD_ID_BYTES;
    // basic.nack has its tag and its multiple bit where basic.ack has them.
    this.window.settle(
      basicAckDeliveryTag(buf, at),
      basicAckMultiple(buf, at),
      methodId === BASIC_NACK_ID,
      performance.now() * 1000,
    );
    return end + 1;
  }

  onContentHeader(): void {}

  onBody(): void {}

  onReadEnd(): void {
    this.pump();
  }

  /** HOT per block. Writes whole blocks while all goes well, the exact rest at a limit. */
  private pump(): void {
    if (this.isAwake) return;
    const { block, connection } = this;
    for (let writes = 0; writes < WRITES_PER_TURN_MAX; writes++) {
      if (this.isStopped || this.quota.isExhausted) {
        this.resolveIfIdle();
        return;
      }
      const nowMs = performance.now();
      const allowed = this.allowance(nowMs);
      if (allowed === 0) return;
      const count = this.quota.take(Math.min(block.count, allowed));
      this.window?.publish(count, nowMs * 1000);
      this.published += count;
      connection.write(messagesView(block, count));
      if (!connection.isWritable) {
        this.isAwake = true;
        connection.onceWritable(this.pumpLater);
        return;
      }
    }
    this.isAwake = true;
    setImmediate(this.pumpLater);
  }

  private resolveIfIdle(): void {
    const mayPublish = !this.isStopped && !this.quota.isExhausted;
    if (!mayPublish && (this.window === null || this.window.outstanding === 0)) this.resolveIdle();
  }

  /** Messages that window and rate allow now; with 0 it has seen to it that pump is called again. */
  private allowance(nowMs: number): number {
    const free = this.window === null ? Number.POSITIVE_INFINITY : this.window.free;
    if (free === 0 || this.ratePerMs === Number.POSITIVE_INFINITY) return free;
    const due = Math.floor((nowMs - this.startedMs) * this.ratePerMs) - this.published;
    if (due > 0) return Math.min(free, due);
    this.isAwake = true;
    setTimeout(this.pumpLater, PACE_INTERVAL_MS);
    return 0;
  }
}
