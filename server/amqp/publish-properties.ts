/**
 * What the properties of a publish ask of the server, beside being passed on.
 *
 * They are walked once, in place; nothing malformed may reach a consumer. Only what is there is looked at:
 *
 *     delivery-mode   1 or 2
 *     reply-to        the pseudo-queue of direct replies becomes the name that the channel answers to
 *     expiration      must be milliseconds
 *     user-id         must be who has logged in, unless that may speak for others (tag `impersonator`)
 *     headers         CC and BCC are more routing keys; BCC is taken out (https://www.rabbitmq.com/docs/sender-selected)
 *
 * What is changed here is the only thing of a message that is not forwarded octet by octet.
 */
import {
  BASIC_DELIVERY_MODE_FLAG,
  BASIC_EXPIRATION_FLAG,
  BASIC_HEADERS_FLAG,
  BASIC_REPLY_TO_FLAG,
  BASIC_USER_ID_FLAG,
  BasicPropertiesView,
  checkFieldTable,
  encodeFieldTable,
  type FieldTable,
  FRAME_ERROR,
  fieldValueEnd,
  readU32,
  sizeOfFieldTable,
  WireError,
  writeShortstr,
} from '../../generated/index.ts';
import { ByteArea } from '../base/byte-area.ts';
import { KeptBytes } from '../base/kept-bytes.ts';
import { REPLY_QUEUE } from '../broker/direct-reply.ts';
import { parseExpiration } from '../broker/expiration.ts';
import type { Actor } from '../broker/ports.ts';
import { fieldTypeName } from '../routing/field-value-text.ts';
import type { MessageParts } from '../storage/record-format.ts';
import { preconditionFailed } from './protocol-error.ts';

/** Properties that are more than octets to the server. */
const WATCHED_FLAGS =
  BASIC_HEADERS_FLAG |
  BASIC_DELIVERY_MODE_FLAG |
  BASIC_REPLY_TO_FLAG |
  BASIC_EXPIRATION_FLAG |
  BASIC_USER_ID_FLAG;

const CC = 'CC';
const BCC = 'BCC';
const LETTER_B = BCC.charCodeAt(0);
const LETTER_C = CC.charCodeAt(0);

/** Larger properties are not remembered, in bytes. */
const REMEMBERED_SIZE_MAX = 64;

/** Reads the properties of one channel's publishes. */
export class PublishProperties {
  private readonly actor: Actor;
  private readonly view: BasicPropertiesView;
  /** The last properties that asked for nothing: most publishers send the same ones again. */
  private readonly remembered: KeptBytes;

  constructor(actor: Actor) {
    this.actor = actor;
    this.view = new BasicPropertiesView();
    this.remembered = new KeptBytes(REMEMBERED_SIZE_MAX);
  }

  /**
   * HOT per publish with properties. Checks those of `parts`, and gives `parts` others where they must change.
   *
   * @param replyName the name that the channel answers to; null when it consumes no direct replies
   * @returns routing keys besides the message's own; null for none
   * @throws WireError for malformed properties, ProtocolError or BrokerError 406 for what they may not say
   */
  apply(parts: MessageParts, replyName: string | null): readonly string[] | null {
    const { view } = this;
    const { head, propertiesAt, propertiesSize } = parts;
    if (this.remembered.equals(head, propertiesAt, propertiesSize)) return null;
    const end = propertiesAt + propertiesSize;
    view.reset(head.buf, propertiesAt, end);
    if (view.endAt() !== end) {
      throw new WireError(FRAME_ERROR, 'content header does not end with its properties', end);
    }
    const flags = view.flags & WATCHED_FLAGS;
    if ((flags & BASIC_HEADERS_FLAG) !== 0) checkFieldTable(head.buf, view.headersAt(), end);
    if ((flags & BASIC_REPLY_TO_FLAG) !== 0 && view.replyTo === REPLY_QUEUE) {
      this.rewriteReplyTo(parts, replyName);
    }
    if ((flags & BASIC_EXPIRATION_FLAG) !== 0) parseExpiration(view.expiration ?? '');
    if ((flags & BASIC_USER_ID_FLAG) !== 0) this.checkUserId(view.userId ?? '');
    if ((flags & BASIC_DELIVERY_MODE_FLAG) !== 0) checkDeliveryMode(view.deliveryMode);
    if ((flags & BASIC_HEADERS_FLAG) !== 0 && namesCopies(view.buf, view.headersAt())) {
      return this.takeCopies(parts);
    }
    // Whoever speaks for others today may not tomorrow.
    if (parts.head === head && (flags & BASIC_USER_ID_FLAG) === 0) {
      this.remembered.keep(head, propertiesAt, propertiesSize);
    }
    return null;
  }

  private rewriteReplyTo(parts: MessageParts, replyName: string | null): void {
    if (replyName === null) throw preconditionFailed('fast reply consumer does not exist');
    const value = Buffer.alloc(1 + replyName.length);
    writeShortstr(value, 0, replyName);
    // Where the properties before it end; replace() reads the flags anew.
    this.view.flags &= ~(2 * BASIC_REPLY_TO_FLAG - 1);
    const at = this.view.endAt();
    this.replace(parts, at, at + 1 + REPLY_QUEUE.length, value);
  }

  private checkUserId(userId: string): void {
    const { userName, canImpersonate } = this.actor;
    if (userId === userName || canImpersonate) return;
    throw preconditionFailed(
      `user_id property set to '${userId}' but authenticated user was '${userName}'`,
    );
  }

  /** The routing keys in CC and BCC; `parts` has no BCC any more. */
  private takeCopies(parts: MessageParts): readonly string[] {
    const { view } = this;
    const headers = view.headers();
    const copies = [...keysIn(headers, CC), ...keysIn(headers, BCC)];
    if (headers.has(BCC)) {
      const kept = new Map([...headers].filter(([name]) => name !== BCC));
      const table = Buffer.alloc(sizeOfFieldTable(kept));
      encodeFieldTable(table, 0, kept);
      const at = view.headersAt();
      this.replace(parts, at, at + 4 + readU32(view.buf, at), table);
    }
    return copies;
  }

  /** Puts `value` in place of the octets from `from` to `to`: what was borrowed is copied for that. */
  private replace(parts: MessageParts, from: number, to: number, value: Buffer): void {
    const { buf } = this.view;
    const { envelopeAt, envelopeSize, propertiesAt, propertiesSize } = parts;
    const end = propertiesAt + propertiesSize;
    const envelope = buf.subarray(envelopeAt, envelopeAt + envelopeSize);
    const pieces = [envelope, buf.subarray(propertiesAt, from), value, buf.subarray(to, end)];
    parts.head = new ByteArea(Buffer.concat(pieces));
    parts.envelopeAt = 0;
    parts.propertiesAt = envelopeSize;
    parts.propertiesSize = parts.head.buf.length - envelopeSize;
    this.view.reset(parts.head.buf, envelopeSize, parts.head.buf.length);
  }
}

/** RabbitMQ 3.10 takes these two; what another one would mean nobody says. */
function checkDeliveryMode(mode: number): void {
  if (mode === 1 || mode === 2) return;
  throw preconditionFailed(`invalid message: {delivery_mode_unknown,${mode}}`);
}

/** HOT per publish with headers. Whether a table, which has been checked, has a key CC or BCC. */
function namesCopies(buf: Buffer, at: number): boolean {
  const end = at + 4 + readU32(buf, at);
  for (let p = at + 4; p < end; ) {
    const size = buf[p]!;
    const isShort = size === 2 && buf[p + 1] === LETTER_C && buf[p + 2] === LETTER_C;
    if (isShort) return true;
    if (
      size === 3 &&
      buf[p + 1] === LETTER_B &&
      buf[p + 2] === LETTER_C &&
      buf[p + 3] === LETTER_C
    ) {
      return true;
    }
    p = fieldValueEnd(buf, p + 1 + size);
  }
  return false;
}

/** The texts in the array under `name`; other elements are passed over. */
function keysIn(headers: FieldTable, name: string): readonly string[] {
  const value = headers.get(name);
  if (value === undefined) return [];
  if (value.tag !== 'A') {
    throw preconditionFailed(
      `invalid message: {unacceptable_type_in_header,"${name}",${fieldTypeName(value)}}`,
    );
  }
  const keys: string[] = [];
  for (const element of value.value) {
    if (element.tag === 'S' && typeof element.value === 'string') keys.push(element.value);
  }
  return keys;
}
