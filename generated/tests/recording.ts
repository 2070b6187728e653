/** Sessions of other people's clients, as recordings/record.mjs wrote them down. */
import { readFileSync } from 'node:fs';

/** What both sides of one connection sent. */
export interface Recording {
  /** Name and version of the client and of the broker. */
  readonly client: string;
  readonly broker: string;
  /** Whole frames; that to the server begins with the protocol header. */
  readonly toServer: readonly Buffer[];
  readonly toClient: readonly Buffer[];
}

/** Reads the session of one client. */
export function readRecording(client: 'amqplib' | 'pika'): Recording {
  // Compiled to dist/generated/tests; the recordings stay with the sources.
  const url = new URL(`../../../generated/tests/recordings/${client}.json`, import.meta.url);
  const recorded = JSON.parse(readFileSync(url, 'utf8')) as {
    client: string;
    broker: string;
    toServer: string[];
    toClient: string[];
  };
  const octets = (hex: string): Buffer => Buffer.from(hex, 'hex');
  return {
    ...recorded,
    toServer: recorded.toServer.map(octets),
    toClient: recorded.toClient.map(octets),
  };
}
