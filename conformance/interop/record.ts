/**
 * Records what other people's clients send in their sessions with this repository's server:
 *
 *     node dist/conformance/interop/record.js DIRECTORY [CLIENT ...]
 *
 * Every connection becomes a file CLIENT-NUMBER.amqp: the bytes from the client to the server and nothing
 * else, from the protocol header to the last frame.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalServer } from '../support/local-server.ts';
import { INTEROP_CLIENTS, scenariosOf } from './clients.ts';
import { Relay } from './relay.ts';
import { runCommand } from './run-command.ts';
import type { ScenarioName } from './scenarios.ts';

/** Those with few bytes and many kinds of methods. */
const RECORDED: readonly ScenarioName[] = ['declare', 'settle', 'headers', 'tx', 'unicode'];

async function main([directory, ...wanted]: readonly string[]): Promise<void> {
  if (directory === undefined) throw new Error('arguments: DIRECTORY [CLIENT ...]');
  mkdirSync(directory, { recursive: true });
  const server = await LocalServer.start();
  try {
    for (const client of INTEROP_CLIENTS) {
      const { name, session } = client;
      const scenarios = scenariosOf(client).filter((scenario) => RECORDED.includes(scenario));
      if (scenarios.length === 0 || (wanted.length > 0 && !wanted.includes(name))) continue;
      const relay = await Relay.start(Number(new URL(server.url).port));
      const command = [...session, relay.url, 'recorded', ...scenarios];
      const { succeeded, complaint } = await runCommand(command);
      await relay.stop();
      if (!succeeded) throw new Error(`${name}: ${complaint}`);
      relay.recordings().forEach((bytes, index) => {
        const file = `${fileName(name)}-${index + 1}.amqp`;
        writeFileSync(join(directory, file), bytes);
        console.log(`${file}: ${bytes.length} bytes`);
      });
    }
  } finally {
    await server.stop();
  }
}

function fileName(client: string): string {
  return client.toLowerCase().replace('@', '').replace('/amqp', '').replace(' ', '-');
}

await main(process.argv.slice(2));
