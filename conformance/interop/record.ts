/**
 * Records what other people's clients send in some of the scenarios with this repository's server:
 *
 *     node dist/conformance/interop/record.js DIRECTORY [CLIENT ...]
 *
 * Every connection becomes a file CLIENT-SCENARIO.json (with a number, when there are several) of the form
 *
 *     { "client": ..., "scenario": ..., "toServer": [frame, ...] }
 *
 * where a frame is its octets in hexadecimal; the first is the protocol header.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalServer } from '../support/local-server.ts';
import { INTEROP_CLIENTS, type InteropClientEntry, scenariosOf } from './clients.ts';
import { Relay } from './relay.ts';
import { runCommand } from './run-command.ts';
import type { ScenarioName } from './scenarios.ts';

/** Those with few octets and many kinds of methods. */
const RECORDED: readonly ScenarioName[] = ['settle', 'headers', 'tx'];

const PROTOCOL_HEADER_SIZE = 8;
/** Type, channel and size before the payload of a frame, and the octet that ends it. */
const FRAME_OVERHEAD = 8;
const FRAME_SIZE_AT = 3;

async function main([directory, ...wanted]: readonly string[]): Promise<void> {
  if (directory === undefined) throw new Error('arguments: DIRECTORY [CLIENT ...]');
  mkdirSync(directory, { recursive: true });
  const server = await LocalServer.start();
  try {
    for (const client of INTEROP_CLIENTS) {
      if (wanted.length > 0 && !wanted.includes(client.name)) continue;
      for (const scenario of scenariosOf(client)) {
        if (RECORDED.includes(scenario)) await record(client, scenario, server, directory);
      }
    }
  } finally {
    await server.stop();
  }
}

async function record(
  { name, session }: InteropClientEntry,
  scenario: ScenarioName,
  server: LocalServer,
  directory: string,
): Promise<void> {
  const relay = await Relay.start(Number(new URL(server.url).port));
  let isDone = false;
  const { complaint } = await runCommand([...session, relay.url, 'recorded', scenario], (line) => {
    isDone ||= line === `done ${scenario}`;
  });
  await relay.stop();
  if (!isDone) throw new Error(`${name}, ${scenario}: ${complaint}`);
  const recordings = relay.recordings();
  recordings.forEach((octets, index) => {
    const number = recordings.length > 1 ? `-${index + 1}` : '';
    const file = `${fileName(name)}-${scenario}${number}.json`;
    const recording = { client: name, scenario, toServer: framesOf(octets) };
    writeFileSync(join(directory, file), `${JSON.stringify(recording, null, 2)}\n`);
    console.log(`${file}: ${octets.length} octets`);
  });
}

function framesOf(octets: Buffer): string[] {
  const frames = [octets.subarray(0, PROTOCOL_HEADER_SIZE)];
  for (let at = PROTOCOL_HEADER_SIZE; at < octets.length; ) {
    const end = at + FRAME_OVERHEAD + octets.readUInt32BE(at + FRAME_SIZE_AT);
    frames.push(octets.subarray(at, end));
    at = end;
  }
  return frames.map((frame) => frame.toString('hex'));
}

function fileName(client: string): string {
  return client.toLowerCase().replace('@', '').replace('/amqp', '').replace(' ', '-');
}

await main(process.argv.slice(2));
