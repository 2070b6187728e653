/**
 * @hot One producer: writes its block of encoded publishes as fast as the socket, the confirm window or
 * transaction and the rate allow.
 *
 * Invariants
 * - At most one block (256 KiB, or one round) waits in this process: the next is written only when the
 *   socket has taken the last, so that what counts as published has left the producer, and the block may be
 *   stamped anew.
 * - A turn of the event loop writes a bounded amount; consumers in the same process get their turn.
 * - Message n of the run is the same as message n of the block, modulo its count, however the writes were cut.
 *
 * It counts messages only; what the broker took is known when {@link Producer.finish} resolves.
 */
import { performance } from 'node:perf_hooks';
import {
  BASIC_ACK_ID,
  BASIC_NACK_ID,
  basicAckDeliveryTag,
  basicAckMultiple,
  METHOD_ID_SIZE,
  TX_COMMIT_OK_ID,
} from '../../generated/index.ts';
import { encodeCommit } from '../amqp/control.ts';
import { type MessageBlock, messagesView } from '../amqp/message-block.ts';
import type { TrafficConnection, TrafficSink } from '../amqp/traffic-scanner.ts';
import type { ConfirmWindow } from './confirm-window.ts';
import type { MessageStamper } from './message-stamper.ts';
import type { Pacer } from './pacer.ts';
import type { PublishTransaction } from './publish-transaction.ts';
import type { Quota } from './quota.ts';
import type { Schedule } from './schedule.ts';

const WRITES_PER_TURN_MAX = 4;
/** Messages that are due within so long of each other share a write: at a high rate they would each need one. */
const PACE_INTERVAL_US = 50;
const COMMIT = encodeCommit();

/** What a producer may keep to; all of it is left out for the plain case. */
export interface ProducerOptions {
  /** The channel is in confirm mode. */
  readonly window?: ConfirmWindow | null;
  /** The channel is in transaction mode. */
  readonly transaction?: PublishTransaction | null;
  readonly pace?: { readonly schedule: Schedule; readonly pacer: Pacer } | null;
  /** Of the producer's block, which is its own then. */
  readonly stamper?: MessageStamper | null;
}

/** Publishes over a connection of its own. */
export class Producer implements TrafficSink {
  /** Messages handed to the socket. */
  published: number;
  /** Resolves when nothing more will be published and all is confirmed or committed, where that is asked for. */
  readonly whenIdle: Promise<void>;
  private readonly connection: TrafficConnection;
  private readonly block: MessageBlock;
  private readonly quota: Quota;
  /** null: no confirms. */
  private readonly window: ConfirmWindow | null;
  /** null: no transactions. */
  private readonly transaction: PublishTransaction | null;
  /** null: as many as possible. */
  private readonly schedule: Schedule | null;
  private readonly pacer: Pacer | null;
  /** null: every message of the block may be written as it is. */
  private readonly stamper: MessageStamper | null;
  /** Index in the block of the message to be written next. */
  private next: number;
  private isStopped: boolean;
  /** True while something will call {@link pump}: an immediate, the pacer or the socket. */
  private isAwake: boolean;
  private resolveIdle: () => void;
  private readonly pumpLater: () => void;

  constructor(
    connection: TrafficConnection,
    block: MessageBlock,
    quota: Quota,
    { window = null, transaction = null, pace = null, stamper = null }: ProducerOptions = {},
  ) {
    this.published = 0;
    this.connection = connection;
    this.block = block;
    this.quota = quota;
    this.window = window;
    this.transaction = transaction;
    this.schedule = pace?.schedule ?? null;
    this.pacer = pace?.pacer ?? null;
    this.stamper = stamper;
    this.next = 0;
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

  /** Messages that were due by `nowUs` and have not been published; 0 without a schedule. */
  behindSchedule(nowUs: number): number {
    return this.schedule === null ? 0 : this.schedule.dueCount(nowUs) - this.published;
  }

  start(): void {
    this.schedule?.start(performance.now() * 1000);
    this.pump();
  }

  /** Publishes nothing more. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.endIfDone();
  }

  /** Stops; resolves when the broker has confirmed and handled what was published. */
  async finish(): Promise<void> {
    this.stop();
    await this.whenIdle;
    await this.connection.closeChannel();
  }

  onMethod(methodId: number, buf: Buffer, start: number, end: number): number {
    if (this.transaction !== null && methodId === TX_COMMIT_OK_ID) {
      this.transaction.settle(performance.now() * 1000);
      return end + 1;
    }
    if (this.window === null || (methodId !== BASIC_ACK_ID && methodId !== BASIC_NACK_ID))
      return -1;
    const at = start + METHOD_ID_SIZE;
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
    // A stopped one may wait for a moment of its schedule that is far away.
    if (this.isStopped) this.endIfDone();
    else this.pump();
  }

  /** HOT per block. Writes whole blocks while all goes well, the exact rest at a limit. */
  private pump(): void {
    if (this.isAwake) return;
    const { block, connection } = this;
    for (let writes = 0; writes < WRITES_PER_TURN_MAX; writes++) {
      if (this.endIfDone()) return;
      const nowUs = performance.now() * 1000;
      const allowed = this.allowance(nowUs);
      if (allowed === 0) return;
      this.writeMessages(this.quota.take(Math.min(block.count - this.next, allowed)), nowUs);
      if (!connection.isWritable) {
        this.isAwake = true;
        connection.onceWritable(this.pumpLater);
        return;
      }
    }
    this.isAwake = true;
    setImmediate(this.pumpLater);
  }

  private writeMessages(count: number, nowUs: number): void {
    const { block, connection, next, published, schedule, transaction } = this;
    const dueUs = schedule === null ? nowUs : schedule.dueUs(published);
    const intervalUs = schedule === null ? 0 : schedule.intervalUs;
    this.window?.publish(count, dueUs, intervalUs);
    this.stamper?.stamp(next, count, published, dueUs, intervalUs);
    this.published += count;
    // Of equal messages it is always the first ones, so that whole blocks are written.
    if (block.roundCount > 1) this.next = (next + count) % block.count;
    connection.write(messagesView(block, count, next));
    if (transaction?.publish(count)) this.commit(dueUs + (count - 1) * intervalUs);
  }

  private commit(sinceUs: number): void {
    this.transaction?.beginCommit(sinceUs);
    this.connection.write(COMMIT);
  }

  /** Whether nothing more is to be published. Commits what is open then, and tells when all is settled. */
  private endIfDone(): boolean {
    if (!this.isStopped && !this.quota.isExhausted) return false;
    const { transaction } = this;
    if (transaction?.isOpen && transaction.free > 0) this.commit(performance.now() * 1000);
    const isSettled = this.window === null || this.window.outstanding === 0;
    if (isSettled && !transaction?.isOpen) this.resolveIdle();
    return true;
  }

  /** Messages that window, transaction and rate allow now; with 0 it has seen to it that pump is called again. */
  private allowance(nowUs: number): number {
    const { schedule, pacer } = this;
    const free = this.window?.free ?? this.transaction?.free ?? Number.POSITIVE_INFINITY;
    if (free === 0 || schedule === null || pacer === null) return free;
    const due = schedule.dueCount(nowUs) - this.published;
    if (due > 0) return Math.min(free, due);
    this.isAwake = true;
    const nextUs = schedule.dueUs(this.published);
    pacer.wakeAt(Math.max(nextUs, nowUs + PACE_INTERVAL_US), this.pumpLater);
    return 0;
  }
}
