/** What is logged of listeners: the line that programs wait for, and what was left out. */
import { isUnixPath, type ListenError, type ListenerAddress } from '../base/listen-on-addresses.ts';
import type { Logger } from './logger.ts';

/** Logs that a listener accepts connections, with the keys `protocol`, `address` and `port`, or `path`. */
export function logListening(logger: Logger, { protocol, address, port }: ListenerAddress): void {
  const place = isUnixPath(address) ? { path: address } : { address, port };
  logger.info({ event: 'listening', protocol, ...place }, 'listening');
}

/** Warns that a listener goes without an address that this machine does not have. */
export function logSkippedAddress(logger: Logger, error: ListenError): void {
  const { protocol, address, port, message: reason } = error;
  const fields = { event: 'listener.skip', protocol, address, port, reason };
  logger.warn(fields, 'an address is left out');
}
