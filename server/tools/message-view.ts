/**
 * A message record as people read it, with the keys of RabbitMQ's HTTP API. What the wire has and JSON has not is
 * spelled: integers beyond 2^53 as decimal text, octets that are no text as base64, timestamps as seconds.
 */
import {
  ByteReader,
  decodeBasicProperties,
  type FieldTable,
  type FieldValue,
} from '../../generated/index.ts';
import type { ByteArea } from '../base/byte-area.ts';
import { envelopeSizeAt, MESSAGE_HEAD_SIZE, propertiesSizeAt } from '../storage/record-format.ts';

/** A value that JSON has. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** An object of such values. */
export type JsonObject = Readonly<Record<string, JsonValue>>;

/** What a message record says before its body. */
export interface MessageView {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: JsonObject;
}

/** Reads the head of the message record at `at`. Properties that cannot be read are shown as base64 in one key. */
export function readMessageView(area: ByteArea, at: number): MessageView {
  const { buf, view } = area;
  const exchangeAt = at + MESSAGE_HEAD_SIZE;
  const keyAt = exchangeAt + 1 + buf[exchangeAt]!;
  const propertiesAt = exchangeAt + envelopeSizeAt(view, at);
  const propertiesEnd = propertiesAt + propertiesSizeAt(view, at);
  return {
    exchange: buf.toString('utf8', exchangeAt + 1, keyAt),
    routingKey: buf.toString('utf8', keyAt + 1, propertiesAt),
    properties: readProperties(buf, propertiesAt, propertiesEnd),
  };
}

function readProperties(buf: Buffer, at: number, end: number): JsonObject {
  try {
    const { headers, ...others } = decodeBasicProperties(new ByteReader(buf, at, end));
    const properties: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(others)) properties[snakeCase(name)] = value;
    if (headers !== undefined) properties['headers'] = jsonOfTable(headers);
    return properties;
  } catch {
    // A peer's octets that no check has refused: shown as they are.
    return { undecodable: buf.toString('base64', at, end) };
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A field table as JSON has it. */
export function jsonOfTable(table: FieldTable): JsonObject {
  // fromEntries defines its keys, so that a key '__proto__' is a key like any other.
  return Object.fromEntries(Array.from(table, ([key, value]) => [key, jsonOfField(value)]));
}

function jsonOfField(field: FieldValue): JsonValue {
  switch (field.tag) {
    case 'A':
      return field.value.map(jsonOfField);
    case 'F':
      return jsonOfTable(field.value);
    case 'D':
      return field.value / 10 ** field.scale;
    default:
      return jsonOfScalar(field.value);
  }
}

function jsonOfScalar(value: string | number | bigint | boolean | Buffer | null): JsonValue {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return Buffer.isBuffer(value) ? value.toString('base64') : value;
}
