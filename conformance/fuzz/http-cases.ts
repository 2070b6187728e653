/** What no HTTP client should send: requests that contradict themselves, bodies that do not come, bytes that are none. */
import fc, { type Arbitrary } from 'fast-check';
import { damaged } from './damage.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { departures } from './structured-cases.ts';

const methods = fc.constantFrom(
  ...['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PRI'],
  ...['QUERY', 'get', 'NOSUCH', ''],
);
const paths = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '/healthz', '/healthz/alarms', '/api/overview') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...['*', '', '//', '/%', '/%00', '/%ff%fe', '/../../etc/passwd', '/healthz/../', '/?a=%zz'],
      ...['http://elsewhere/healthz', 'elsewhere:80', '/é', `/${'x'.repeat(3000)}`, '/healthz#a?b'],
      ...['/__proto__', '/constructor', '/healthz/alarms/..%2f', '/<script>', '/{a}', '/\u0007'],
    ),
  },
);
const versions = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/9',
);
const lineEnds = fc.oneof(
  { weight: 8, arbitrary: fc.constant('\r\n') },
  { weight: 2, arbitrary: fc.constantFrom('\n', '\r') },
);
const fields = fc.constantFrom(
  ...['Host: a', 'Host: a', 'Host: a', 'Host:', 'Host: a\r\nHost: b', 'Connection: keep-alive'],
  ...[
    'Connection: close',
    'Connection: upgrade\r\nUpgrade: h2c',
    'Expect: 100-continue',
    'Expect: x',
  ],
  ...[
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999',
  ],
  ...[
    'Content-Length: 5\r\nContent-Length: 6',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x',
  ],
  ...['Transfer-Encoding: chunked\r\nContent-Length: 5', 'Content-Type: application/json'],
  ...[
    'Content-Type: application/json; charset=\u0000',
    'Accept: */*',
    'Accept-Version: 99',
    'X: é',
  ],
  ...[
    ': empty',
    'no colon',
    ' folded: x',
    'X-Long: '.padEnd(4000, 'x'),
    'X-Over: '.padEnd(20_000, 'x'),
  ],
  ...['Authorization: Basic !!', 'Cookie: a=b', 'Range: bytes=0-', 'Content-Encoding: gzip'],
);
const bodies = fc.constantFrom(
  ...['', '', '', 'abcde', '{"a":', '{"__proto__":{"a":1}}', '5\r\nabcde\r\n0\r\n\r\n'],
  ...['ffffffffffffffffff\r\n', 'g\r\n', '5;a=b\r\nabcde\r\n0\r\nX: y\r\n\r\n', '-1\r\n', '\u0000'],
);

const requests: Arbitrary<Buffer> = fc
  .record({
    method: methods,
    path: paths,
    version: versions,
    lineEnd: lineEnds,
    head: fc.array(fields, { maxLength: 3 }),
    body: bodies,
  })
  .map(({ method, path, version, lineEnd, head, body }) =>
    Buffer.from(
      [`${method} ${path} ${version}`, 'Host: a', ...head, '', body].join(lineEnd),
      'latin1',
    ),
  );

/** One to four requests in a row, some of them damaged. */
export function httpCases(): Arbitrary<FuzzCase> {
  const chains = fc.array(
    fc.oneof({ weight: 2, arbitrary: requests }, { weight: 1, arbitrary: damaged(requests, 3) }),
    { minLength: 1, maxLength: 4 },
  );
  return fc.tuple(chains, departures).map(([frames, how]) => ({ door: 'http', frames, ...how }));
}
