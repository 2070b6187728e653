/** The address of a broker as `amqp[s]://user:password@host:port/vhost?parameters`, taken apart. */
import { readFileSync } from 'node:fs';

const DEFAULT_PORT = 5672;
const DEFAULT_TLS_PORT = 5671;

/** How to speak TLS with a broker. */
export interface TlsTrust {
  /** Certificates (PEM) that are trusted instead of those of the system; null: the system's. */
  readonly ca: Buffer | null;
  /** The client's own certificate and key, PEM; null: none. */
  readonly certificate: Buffer | null;
  readonly key: Buffer | null;
  /** Whether the broker's certificate must be trusted and be for its host. */
  readonly verifiesPeer: boolean;
}

/** Where a broker listens and as whom to log in there. */
export interface AmqpUri {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** Only of an `amqps` URI. */
  readonly tls?: TlsTrust;
}

/**
 * Takes an AMQP URI apart. What is left out is as RabbitMQ's URI specification has it: port 5672 (5671 for
 * `amqps`), guest/guest, vhost `/`; percent-encoding is undone in every part. The parameters `cacertfile`,
 * `certfile`, `keyfile` and `verify` (`verify_none` or `none`: any certificate will do) are those of RabbitMQ's
 * clients.
 *
 * @throws Error when it is not a URI, its scheme is neither `amqp` nor `amqps`, or a file cannot be read.
 */
export function parseAmqpUri(text: string): AmqpUri {
  if (!URL.canParse(text)) throw new Error(`not an AMQP URI: ${text}`);
  const url = new URL(text);
  const isTls = url.protocol === 'amqps:';
  if (!isTls && url.protocol !== 'amqp:') {
    throw new Error(`only amqp:// and amqps:// are supported, not ${url.protocol}//`);
  }
  const address = {
    host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost',
    port: url.port === '' ? (isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT) : Number(url.port),
    username: url.username === '' ? 'guest' : decodeURIComponent(url.username),
    password: url.password === '' ? 'guest' : decodeURIComponent(url.password),
    vhost: url.pathname.length <= 1 ? '/' : decodeURIComponent(url.pathname.slice(1)),
  };
  return isTls ? { ...address, tls: parseTrust(url.searchParams) } : address;
}

function parseTrust(parameters: URLSearchParams): TlsTrust {
  const file = (name: string): Buffer | null => {
    const path = parameters.get(name);
    return path === null ? null : readFileSync(path);
  };
  const verify = parameters.get('verify');
  return {
    ca: file('cacertfile'),
    certificate: file('certfile'),
    key: file('keyfile'),
    verifiesPeer: verify !== 'verify_none' && verify !== 'none',
  };
}
