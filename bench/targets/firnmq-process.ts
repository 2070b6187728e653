/** This repository's server as a process. */
import { fileURLToPath } from 'node:url';
import { type AmqpUri, parseAmqpUri } from '../amqp/amqp-uri.ts';
import { PinnedProcess } from './pinned-process.ts';

const SERVER_MAIN = fileURLToPath(new URL('../../server/main.js', import.meta.url));

/** The server's command line: its default configuration, on free ports of loopback. */
export function firnmqCommand(dataDir: string): string[] {
  const args = ['-D', dataDir, '-b', '127.0.0.1', '-p', '0', '--http-port', '0'];
  return [process.execPath, SERVER_MAIN, ...args];
}

/** A server that listens. */
export interface ListeningFirnmq {
  readonly process: PinnedProcess;
  readonly uri: AmqpUri;
}

/**
 * Starts a server and waits for the line in which it says where it listens.
 *
 * @param core where it is kept; null: anywhere
 * @param signal kills it, whatever it is doing
 * @throws Error when it ends before; a server that fails is not left running.
 */
export async function spawnFirnmq(
  core: number | null,
  command: readonly string[],
  signal?: AbortSignal,
): Promise<ListeningFirnmq> {
  const server = await PinnedProcess.spawn(core, command);
  const onAbort = (): void => void server.kill();
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted === true) onAbort();
  try {
    return { process: server, uri: await server.findLine(findAmqpListener) };
  } catch (error) {
    await server.terminate();
    throw error;
  }
}

/** The address in a log line with the event `listening` for AMQP; null for any other line. */
function findAmqpListener(line: string): AmqpUri | null {
  const port = listenerPort(line, 'amqp');
  return port === null ? null : parseAmqpUri(`amqp://127.0.0.1:${port}`);
}

/** The port in a log line with the event `listening` for a protocol; null for any other line. */
export function listenerPort(line: string, protocol: string): number | null {
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== 'object' || entry === null) return null;
  if (!('event' in entry && 'protocol' in entry && 'port' in entry)) return null;
  return entry.event === 'listening' && entry.protocol === protocol ? Number(entry.port) : null;
}
