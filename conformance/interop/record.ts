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
import { INTEROP_CLIENTS } from './clients.ts';
import { RecordingRelay } from './relay.ts';
import { runCommand } from './run-command.ts';

async function main([directory, ...wanted]: readonly string[]): Promise<void> {
  if (directory === undefined) throw new Error('arguments: DIRECTORY [CLIENT ...]');
  mkdirSync(directory, { recursive: true });
  const server = await LocalServer.start();
  try {
    for (const { name, session } of INTEROP_CLIENTS) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const relay = await RecordingRelay.start(Number(new URL(server.url).port));
      const url = `amqp://guest:guest@127.0.0.1:${relay.port}`;
      const { succeeded, complaint } = await runCommand([...session, url, 'recorded']);
      await relay.stop();
      if (!succeeded) throw new Error(`${name}: ${complaint}`);
      relay.recordings().forEach((bytes, index) => {
        const file = `${name.replace('@', '').replace('/amqp', '')}-${index + 1}.amqp`;
        writeFileSync(join(directory, file), bytes);
        console.log(`${file}: ${bytes.length} bytes`);
      });
    }
  } finally {
    await server.stop();
  }
}

await main(process.argv.slice(2));
