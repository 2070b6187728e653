/** JSON on a command line: arguments of queues and consumers, properties of messages. */
import { InvalidArgumentError } from 'commander';
import {
  type BasicProperties,
  type FieldTable,
  type PlainTable,
  type PlainValue,
  toFieldTable,
} from '../generated/index.ts';

/**
 * A JSON object as a table of AMQP: strings, booleans, null, arrays and objects as they are; a number is a 32-bit
 * integer where it is one, else a 64-bit one, else a double.
 */
export function parseArguments(text: string): FieldTable {
  return toFieldTable(parseObject(text));
}

/** Names as the specification has them, with underscores, and what each is. */
const PROPERTIES = {
  content_type: ['contentType', 'string'],
  content_encoding: ['contentEncoding', 'string'],
  headers: ['headers', 'object'],
  delivery_mode: ['deliveryMode', 'octet'],
  priority: ['priority', 'octet'],
  correlation_id: ['correlationId', 'string'],
  reply_to: ['replyTo', 'string'],
  expiration: ['expiration', 'string'],
  message_id: ['messageId', 'string'],
  timestamp: ['timestamp', 'seconds'],
  type: ['type', 'string'],
  user_id: ['userId', 'string'],
  app_id: ['appId', 'string'],
} as const;

type PropertyKind = (typeof PROPERTIES)[keyof typeof PROPERTIES][1];

/** A JSON object as properties of a message: `{"priority": 5, "headers": {"a": 1}}`. */
export function parseProperties(text: string): BasicProperties {
  const properties: Record<string, PlainValue | FieldTable> = {};
  for (const [key, value] of Object.entries(parseObject(text))) {
    if (!isProperty(key)) {
      throw new InvalidArgumentError(
        `There is no property ${key}, but ${Object.keys(PROPERTIES).join(', ')}.`,
      );
    }
    const [name, kind] = PROPERTIES[key];
    properties[name] = toProperty(key, kind, value);
  }
  return properties;
}

function isProperty(key: string): key is keyof typeof PROPERTIES {
  return Object.hasOwn(PROPERTIES, key);
}

function toProperty(key: string, kind: PropertyKind, value: PlainValue): PlainValue | FieldTable {
  const refuse = (expected: string): never => {
    throw new InvalidArgumentError(`The property ${key} is ${expected}.`);
  };
  switch (kind) {
    case 'string':
      return typeof value === 'string' && Buffer.byteLength(value) <= 255
        ? value
        : refuse('text of at most 255 octets');
    case 'object':
      return isPlainTable(value) ? toFieldTable(value) : refuse('an object');
    case 'octet':
      return isWithin(value, 255) ? value : refuse('a number from 0 to 255');
    case 'seconds':
      return isWithin(value, Number.MAX_SAFE_INTEGER) ? value : refuse('in seconds since 1970');
  }
}

function isWithin(value: PlainValue, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function parseObject(text: string): PlainTable {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is not JSON.');
  }
  if (!isPlainTable(parsed)) throw new InvalidArgumentError('It is not a JSON object.');
  return parsed;
}

/** JSON has nothing that a plain table has not. */
function isPlainTable(value: unknown): value is PlainTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
