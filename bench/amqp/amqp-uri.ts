/** The address of a broker as `amqp://user:password@host:port/vhost`, taken apart. */

const DEFAULT_PORT = 5672;

/** Where a broker listens and as whom to log in there. */
export interface AmqpUri {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
}

/**
 * Takes an AMQP URI apart. What is left out is as RabbitMQ's URI specification has it: port 5672,
 * guest/guest, vhost `/`; percent-encoding is undone in every part.
 *
 * @throws Error when it is not a URI, or its scheme is not `amqp`.
 */
export function parseAmqpUri(text: string): AmqpUri {
  if (!URL.canParse(text)) throw new Error(`not an AMQP URI: ${text}`);
  const url = new URL(text);
  if (url.protocol !== 'amqp:') {
    throw new Error(`only amqp:// is supported, not ${url.protocol}//`);
  }
  return {
    host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost',
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    username: url.username === '' ? 'guest' : decodeURIComponent(url.username),
    password: url.password === '' ? 'guest' : decodeURIComponent(url.password),
    vhost: url.pathname.length <= 1 ? '/' : decodeURIComponent(url.pathname.slice(1)),
  };
}
