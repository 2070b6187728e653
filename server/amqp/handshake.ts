/**
 * The handshake's rules: what the server says of itself, how a client logs in, what may be tuned. Pure
 * decisions; connection.ts sends and receives.
 */

import { hostname } from 'node:os';
import type { Credentials } from '../../generated/index.ts';
import {
  type ConnectionTuneOk,
  type FieldTable,
  FRAME_MIN_SIZE,
  parseAmqplain,
  parsePlain,
  SYNTAX_ERROR,
  toFieldTable,
} from '../../generated/index.ts';
import { notAllowed, ProtocolError } from './protocol-error.ts';

/** Mechanisms offered, in the server's order of preference. */
export const MECHANISMS = 'PLAIN AMQPLAIN';
/** Locales offered. */
export const LOCALES = 'en_US';

/** What the server is able to do, as clients look it up. */
const CAPABILITIES = {
  authentication_failure_close: true,
  'basic.nack': true,
  consumer_cancel_notify: true,
  exchange_exchange_bindings: true,
  per_consumer_qos: true,
  publisher_confirms: true,
};

/** The `server-properties` of connection.start. */
export function serverProperties(version: string): FieldTable {
  return toFieldTable({
    capabilities: CAPABILITIES,
    cluster_name: `firnmq@${hostname()}`,
    information: 'Licensed under the Apache License 2.0',
    platform: `Node.js ${process.version}`,
    product: 'FirnMQ',
    version,
  });
}

/** The user and password in a SASL response. @throws ProtocolError 502; null: unknown mechanism */
export function parseResponse(mechanism: string, response: Buffer): Credentials | null {
  switch (mechanism) {
    case 'PLAIN': {
      const credentials = parsePlain(response);
      if (credentials !== null) return credentials;
      throw new ProtocolError(SYNTAX_ERROR, 'response is not in the form of PLAIN');
    }
    case 'AMQPLAIN': {
      const credentials = parseAmqplain(response);
      if (credentials !== null) return credentials;
      throw new ProtocolError(
        SYNTAX_ERROR,
        'AMQPLAIN auth info is missing LOGIN or PASSWORD field',
      );
    }
    default:
      return null;
  }
}

/** What a client said it is able to do. */
export function clientCapability(clientProperties: FieldTable, name: string): boolean {
  const capabilities = clientProperties.get('capabilities');
  return capabilities?.tag === 'F' && capabilities.value.get(name)?.value === true;
}

/** What the server offers in connection.tune. */
export interface TuneOffer {
  readonly channelMax: number;
  readonly frameMax: number;
  readonly heartbeat: number;
}

/** @throws ProtocolError 530 when the client's answer is outside the offer */
export function requireTuneWithin(offer: TuneOffer, m: ConnectionTuneOk): void {
  if (m.frameMax !== 0 && m.frameMax < FRAME_MIN_SIZE) {
    throw notAllowed(
      `negotiated frame_max = ${m.frameMax} is lower than the minimum allowed value (${FRAME_MIN_SIZE})`,
    );
  }
  requireNotAbove('frame_max', m.frameMax, offer.frameMax, '');
  requireNotAbove('channel_max', m.channelMax, offer.channelMax, ' (no limit)');
}

/** Zero asks for no limit; only of channel_max does RabbitMQ say so. */
function requireNotAbove(what: string, asked: number, offered: number, noLimit: string): void {
  if (offered === 0 || (asked !== 0 && asked <= offered)) return;
  const unlimited = asked === 0 ? noLimit : '';
  throw notAllowed(
    `negotiated ${what} = ${asked}${unlimited} is higher than the maximum allowed value (${offered})`,
  );
}
