/**
 * Every method of the protocol, put together from what the specification says about it: for scenarios that hold
 * for all methods alike, those among them that only a server sends.
 */
import { FRAME_METHOD, METHODS, type MethodInfo, type WireType } from '../../generated/index.ts';
import { methodName, type ServerClose } from './amqp.ts';
import type { Broker } from './broker.ts';
import type { RawClient } from './raw-client.ts';

/** Any text will do, but not the empty one: that stands for the queue declared last. */
const NAME = Buffer.from('any');

/** What a field holds that nobody cares about; bits are packed by {@link payloadOf}. */
const PLAIN: Readonly<Record<Exclude<WireType, 'bit'>, Buffer>> = {
  octet: Buffer.alloc(1),
  short: Buffer.alloc(2),
  long: Buffer.alloc(4),
  longlong: Buffer.alloc(8),
  timestamp: Buffer.alloc(8),
  shortstr: Buffer.from([NAME.length, ...NAME]),
  longstr: Buffer.alloc(4),
  table: Buffer.alloc(4),
};

/** A method's well-formed payload: its ids, then zeros, false, empty tables and a name in every short string. */
export function payloadOf(method: MethodInfo): Buffer {
  const ids = Buffer.alloc(4);
  ids.writeUInt32BE(method.id);
  const parts: Buffer[] = [ids];
  let bits = 0;
  for (const { type } of method.fields) {
    if (type !== 'bit') parts.push(PLAIN[type]);
    else if (bits % 8 === 0) parts.push(PLAIN.octet);
    bits = type === 'bit' ? bits + 1 : 0;
  }
  return Buffer.concat(parts);
}

/** The name by which scenarios call a method: `queue.declare`. */
export function nameOf({ id }: MethodInfo): string {
  return methodName(id >>> 16, id & 0xffff);
}

/** Methods but those named. */
export function methodsBut(...names: string[]): MethodInfo[] {
  return METHODS.filter((method) => !names.includes(nameOf(method)));
}

/** Sends a method with any arguments. */
export function sendAny(raw: RawClient, channel: number, method: MethodInfo): void {
  raw.sendFrame(FRAME_METHOD, channel, payloadOf(method));
}

/** What a method led to: how the server closed the connection, or null when it ended without a word. */
export type MethodOutcome = ServerClose | null;

/**
 * Does the same with each of the methods, every one on a connection of its own that `open` has brought into the
 * state of interest and that `act` gets closed; answers with what came, by the name of the method.
 */
export async function outcomeOfEach(
  broker: Broker,
  methods: readonly MethodInfo[],
  open: (broker: Broker) => Promise<RawClient>,
  act: (raw: RawClient, method: MethodInfo) => void,
): Promise<Record<string, MethodOutcome>> {
  const outcomes = methods.map(async (method): Promise<[string, MethodOutcome]> => {
    const raw = await open(broker);
    act(raw, method);
    return [nameOf(method), await raw.expectConnectionGone()];
  });
  return Object.fromEntries(await Promise.all(outcomes));
}

/** The same outcome for every method; the function gets the method's name. */
export function expectEach(
  methods: readonly MethodInfo[],
  outcome: (name: string) => MethodOutcome,
): Record<string, MethodOutcome> {
  return Object.fromEntries(methods.map((method) => [nameOf(method), outcome(nameOf(method))]));
}
