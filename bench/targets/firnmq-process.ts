/** This repository's server as a process. */
import { fileURLToPath } from 'node:url';
import { type AmqpUri, parseAmqpUri } from '../amqp/amqp-uri.ts';
import { type CoreChoice, PinnedProcess } from './pinned-process.ts';
import type { LoopDelay } from './target.ts';

const AMQPS_PORT_FLAG = '--amqps-port';
/** What `npm start` tells Node.js. */
const NODE_FLAGS = ['--v8-pool-size=1'];
const SERVER_MAIN = fileURLToPath(new URL('../../firnmq/main.js', import.meta.url));

/**
 * The server's command line: its default configuration, on free ports of loopback.
 *
 * @param nodeFlags what Node.js is told besides
 */
export function firnmqCommand(dataDir: string, nodeFlags: readonly string[] = []): string[] {
  const args = ['-D', dataDir, '-b', '127.0.0.1', '-p', '0', '--http-port', '0'];
  return [process.execPath, ...NODE_FLAGS, ...nodeFlags, SERVER_MAIN, ...args];
}

/** What Node.js is told so that the server, started with a channel, answers {@link readLoopDelay}. */
export const LOOP_DELAY_FLAGS: readonly string[] = loading('./loop-delay.js');
/** ... or tells its turns to a TurnWatch. */
export const LONGEST_TURN_FLAGS: readonly string[] = loading('./longest-turn.js');

function loading(module: string): string[] {
  return ['--import', new URL(module, import.meta.url).href];
}

/** How late the event loop of a server came since it was last asked, or since its start. */
export async function readLoopDelay(server: PinnedProcess): Promise<LoopDelay> {
  const answer = await server.ask();
  if (typeof answer !== 'object' || answer === null || !('p99Ms' in answer && 'maxMs' in answer)) {
    throw new Error('the server does not tell how late its event loop comes');
  }
  return { p99Ms: Number(answer.p99Ms), maxMs: Number(answer.maxMs) };
}

/** What a server is asked for beside its command line. */
export interface SpawnFirnmqOptions {
  /** It loads what answers questions. */
  readonly withChannel?: boolean;
}

/** The same, with AMQPS beside it; `certificatePath` is a PEM file with certificate and key. */
export function firnmqTlsCommand(dataDir: string, certificatePath: string): string[] {
  return [...firnmqCommand(dataDir), '--cert', certificatePath, AMQPS_PORT_FLAG, '0'];
}

/** A server that listens. */
export interface ListeningFirnmq {
  readonly process: PinnedProcess;
  readonly uri: AmqpUri;
  /** null: it has no certificate. */
  readonly tlsPort: number | null;
}

/**
 * Starts a server and waits for the lines in which it says where it listens.
 *
 * @param signal kills it, whatever it is doing
 * @throws Error when it ends before; a server that fails is not left running.
 */
export async function spawnFirnmq(
  core: CoreChoice,
  command: readonly string[],
  signal?: AbortSignal,
  { withChannel = false }: SpawnFirnmqOptions = {},
): Promise<ListeningFirnmq> {
  const server = await PinnedProcess.spawn(core, command, { withChannel });
  const onAbort = (): void => void server.kill();
  signal?.addEventListener('abort', onAbort);
  // The signal outlives it, and may be that of many servers, one after the other.
  server.whenEnded(() => signal?.removeEventListener('abort', onAbort));
  if (signal?.aborted === true) onAbort();
  try {
    const ports = new Map<string, number>();
    const protocols = command.includes(AMQPS_PORT_FLAG) ? ['amqp', 'amqps'] : ['amqp'];
    const port = await server.findLine((line) => {
      noteListener(line, ports);
      return protocols.every((each) => ports.has(each)) ? (ports.get('amqp') ?? null) : null;
    });
    return {
      process: server,
      uri: parseAmqpUri(`amqp://127.0.0.1:${port}`),
      tlsPort: ports.get('amqps') ?? null,
    };
  } catch (error) {
    await server.terminate();
    throw error;
  }
}

/** Takes protocol and port from a log line with the event `listening`; nothing from any other line. */
export function noteListener(line: string, ports: Map<string, number>): void {
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== 'object' || entry === null) return;
  if (!('event' in entry && 'protocol' in entry && 'port' in entry)) return;
  if (entry.event === 'listening') ports.set(String(entry.protocol), Number(entry.port));
}
