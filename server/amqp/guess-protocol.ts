/** What a client speaks that does not speak AMQP 0-9-1, for the log: the reason is nearly always a wrong port. */

/** A name, and what to do about it. */
export interface ProtocolGuess {
  readonly protocol: string;
  readonly hint?: string;
}

const WRONG_VERSION = 'the client must speak AMQP 0-9-1';

/** By how the octets begin, in latin1. */
const GUESSES: readonly (readonly [starts: readonly string[], guess: ProtocolGuess])[] = [
  [
    ['\x16\x03'],
    { protocol: 'TLS', hint: 'this port is for AMQP without TLS: use that of amqps, or no TLS' },
  ],
  [
    ['GET ', 'HEAD ', 'POST ', 'PUT ', 'DELETE ', 'OPTIONS ', 'PATCH ', 'CONNECT '],
    { protocol: 'HTTP', hint: 'this port is for AMQP: the management API has another' },
  ],
  [
    ['PROXY ', '\r\n\r\n\0\r\n'],
    { protocol: 'PROXY', hint: "the peer is not one of those in 'tcp_proxy_protocol'" },
  ],
  [
    ['AMQP\0\x01\0\0', 'AMQP\x02\x01\0\0', 'AMQP\x03\x01\0\0'],
    { protocol: 'AMQP 1.0', hint: WRONG_VERSION },
  ],
  [['AMQP'], { protocol: 'another version of AMQP', hint: WRONG_VERSION }],
];

/** Looks at the first octets that came in place of a protocol header. */
export function guessProtocol(start: Buffer): ProtocolGuess {
  const text = start.toString('latin1');
  const known = GUESSES.find(([starts]) => starts.some((start) => text.startsWith(start)));
  return known?.[1] ?? { protocol: 'unknown' };
}
