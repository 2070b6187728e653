/**
 * Accepts HTTP connections, on Node's own server, one per address.
 *
 * What answers (http-app.ts, and Fastify with it) is loaded at the first request, so a server that is
 * never asked does not pay for it. Limits on how long a request may take are set here, where the sockets
 * are; limits on its body there.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type ListenError,
  type ListenerAddress,
  type Listening,
  listenOnAddresses,
} from '../base/listen-on-addresses.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ServerStatus } from './server-status.ts';

/** From the first byte of a request to the end of its headers, and to the end of its body. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often connections are looked at for these two. */
const CHECK_INTERVAL_MS = 5_000;
const HEADERS_BYTES_MAX = 16 * 1024;
/** Open connections per address; more are dropped. */
const CONNECTIONS_MAX = 1024;

/** Where to listen, and what to show. */
export interface HttpListenerOptions {
  readonly addresses: readonly string[];
  /** 0 takes a free port, another one for each address. */
  readonly port: number;
  readonly status: ServerStatus;
  readonly logger: Logger;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A running HTTP listener. */
export class HttpListener {
  /** Addresses that were left out because this machine does not have them. */
  readonly skipped: readonly ListenError[];
  private readonly listening: readonly Listening<Server>[];

  private constructor(listening: readonly Listening<Server>[], skipped: readonly ListenError[]) {
    this.listening = listening;
    this.skipped = skipped;
  }

  /**
   * Starts to listen.
   *
   * @throws ListenError naming protocol, address and port
   */
  static async start(options: HttpListenerOptions): Promise<HttpListener> {
    const handler = lazyHandler(options);
    const { listening, skipped } = await listenOnAddresses(
      'http',
      options.addresses,
      options.port,
      () => createHttpServer(handler),
    );
    return new HttpListener(listening, skipped);
  }

  /** Where it listens. */
  get addresses(): readonly ListenerAddress[] {
    return this.listening.map(({ protocol, address, port }) => ({ protocol, address, port }));
  }

  /** Stops listening; requests under way are cut, since none of them lasts. */
  async stop(): Promise<void> {
    await Promise.all(
      this.listening.map(
        ({ server }) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
  }
}

function createHttpServer(handler: Handler): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      maxHeaderSize: HEADERS_BYTES_MAX,
    },
    handler,
  );
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

/** Loads what answers at the first request; requests that come meanwhile wait for the same load. */
function lazyHandler({ status, logger }: HttpListenerOptions): Handler {
  let loading: Promise<Handler> | null = null;
  const load = async (): Promise<Handler> => {
    const { createHttpApp } = await import('./http-app.ts');
    const app = await createHttpApp({ status }, logger.child({ component: 'http' }));
    return (request, response) => app.routing(request, response);
  };
  return (request, response) => {
    loading ??= load();
    loading.then(
      (handler) => handler(request, response),
      (error: unknown) => {
        logger.error({ event: 'http.fail', err: error }, 'the HTTP side cannot be loaded');
        response.writeHead(500).end();
      },
    );
  };
}
