/** Headers of the PROXY protocol: each whole, at every cut, and with something wrong in it. */
import fc from 'fast-check';
import t from 'tap';
import { proxyHeaderV2, tlv } from '../testing/proxy-headers.ts';
import {
  MalformedProxyHeader,
  PROXY_HEADER_SIZE_MAX,
  type ProxyHeader,
  scanProxyHeader,
} from './proxy-header.ts';

const SOURCE_4 = { address: '192.0.2.1', port: 56324 };
const DESTINATION_4 = { address: '198.51.100.2', port: 5672 };
const SOURCE_6 = { address: '2001:db8::1', port: 1 };
const DESTINATION_6 = { address: '::1', port: 65535 };
const IPV4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x16, 0x28]);
const IPV6 = Buffer.from(
  '20010db8000000000000000000000001' + '00000000000000000000000000000001' + '0001ffff',
  'hex',
);
/** As HAProxy writes them with `send-proxy-v2-ssl-cn`: version, common name, cipher. */
const SSL_PARTS = [tlv(0x21, 'TLSv1.3'), tlv(0x22, 'device-7'), tlv(0x23, 'AES128')];
const ssl = (client: number, verify: number, parts = SSL_PARTS) =>
  tlv(0x20, Buffer.concat([Buffer.from([client, 0, 0, 0, verify]), ...parts]));

const NOBODY = { source: null, destination: null, commonName: null };

const RIGHT: Readonly<Record<string, readonly [Buffer, Omit<ProxyHeader, 'size'>]>> = {
  'version 1, IPv4': [
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 5672\r\n'),
    { isLocal: false, source: SOURCE_4, destination: DESTINATION_4, commonName: null },
  ],
  'version 1, IPv6': [
    Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 65535\r\n'),
    { isLocal: false, source: SOURCE_6, destination: DESTINATION_6, commonName: null },
  ],
  'version 1, unknown': [Buffer.from('PROXY UNKNOWN\r\n'), { isLocal: false, ...NOBODY }],
  'version 1, unknown, the longest line there is': [
    Buffer.from(`PROXY UNKNOWN ${'f'.repeat(107 - 16)}\r\n`),
    { isLocal: false, ...NOBODY },
  ],
  'version 2, IPv4': [
    proxyHeaderV2(0x21, 0x11, IPV4),
    { isLocal: false, source: SOURCE_4, destination: DESTINATION_4, commonName: null },
  ],
  'version 2, IPv6, with TLVs of no interest': [
    proxyHeaderV2(0x21, 0x21, IPV6, tlv(0x04, Buffer.alloc(300)), tlv(0x01, 'amqp'), tlv(0xea, '')),
    { isLocal: false, source: SOURCE_6, destination: DESTINATION_6, commonName: null },
  ],
  'version 2, Unix': [proxyHeaderV2(0x21, 0x31, Buffer.alloc(216)), { isLocal: false, ...NOBODY }],
  'version 2, unspecified': [proxyHeaderV2(0x21, 0x00), { isLocal: false, ...NOBODY }],
  'version 2, the proxy itself, with octets that mean nothing': [
    proxyHeaderV2(0x20, 0xff, Buffer.from('whatever')),
    { isLocal: true, ...NOBODY },
  ],
  'version 2, the longest that is taken': [
    proxyHeaderV2(0x20, 0x00, Buffer.alloc(PROXY_HEADER_SIZE_MAX - 16)),
    { isLocal: true, ...NOBODY },
  ],
  'version 2, a verified certificate': [
    proxyHeaderV2(0x21, 0x11, IPV4, ssl(0x03, 0)),
    { isLocal: false, source: SOURCE_4, destination: DESTINATION_4, commonName: 'device-7' },
  ],
  'version 2, a verified certificate of an earlier connection of the session': [
    proxyHeaderV2(0x21, 0x00, ssl(0x05, 0)),
    { isLocal: false, source: null, destination: null, commonName: 'device-7' },
  ],
  'version 2, a certificate that was not verified': [
    proxyHeaderV2(0x21, 0x00, ssl(0x03, 1)),
    { isLocal: false, ...NOBODY },
  ],
  'version 2, TLS without a certificate': [
    proxyHeaderV2(0x21, 0x00, ssl(0x01, 0)),
    { isLocal: false, ...NOBODY },
  ],
  'version 2, a certificate without TLS': [
    proxyHeaderV2(0x21, 0x00, ssl(0x02, 0)),
    { isLocal: false, ...NOBODY },
  ],
};

for (const [title, [header, expected]] of Object.entries(RIGHT)) {
  t.test(`${title}: taken whole, and awaited at every cut`, async (t) => {
    const whole = Buffer.concat([header, Buffer.from('AMQP\0\0\x09\x01')]);
    t.same(scanProxyHeader(whole), { size: header.length, ...expected });
    t.same(scanProxyHeader(header), { size: header.length, ...expected });
    for (let size = 0; size < header.length; size++) {
      if (scanProxyHeader(header.subarray(0, size)) !== 'incomplete') t.fail(`cut at ${size}`);
    }
  });
}

t.test(
  'what begins as something else is no header, from the first octet that differs',
  async (t) => {
    for (const text of [
      'A',
      'AMQP',
      'PROXZ',
      'PROXYTCP4',
      'proxy TCP4',
      '\r\n\r\nGET',
      '\x16\x03',
      'P\r',
    ])
      t.equal(scanProxyHeader(Buffer.from(text, 'latin1')), 'none', JSON.stringify(text));
  },
);

const WRONG: Readonly<Record<string, Buffer>> = {
  'version 1 without an end': Buffer.from(`PROXY UNKNOWN ${'f'.repeat(200)}`),
  'version 1, one octet too long': Buffer.from(`PROXY UNKNOWN ${'f'.repeat(107 - 15)}\r\n`),
  'version 1 of another protocol': Buffer.from('PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n'),
  'version 1 in lower case': Buffer.from('PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n'),
  'version 1 with an address of the other family': Buffer.from('PROXY TCP4 ::1 ::1 1 2\r\n'),
  'version 1 with a name': Buffer.from('PROXY TCP4 localhost 192.0.2.2 1 2\r\n'),
  'version 1 with a port too high': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n'),
  'version 1 with a port in another form': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n'),
  'version 1 with too little': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n'),
  'version 1 with too much': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n'),
  'version 1 with two spaces': Buffer.from('PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n'),
  'version 1 with nothing': Buffer.from('PROXY \r\n'),
  'version 2 of another version': proxyHeaderV2(0x11, 0x11, IPV4),
  'version 2 with an unknown command': proxyHeaderV2(0x22, 0x11, IPV4),
  'version 2 for datagrams': proxyHeaderV2(0x21, 0x12, IPV4),
  'version 2 of an unknown family': proxyHeaderV2(0x21, 0x41, IPV4),
  'version 2 with half its addresses': proxyHeaderV2(0x21, 0x11, IPV4.subarray(0, 11)),
  'version 2, IPv6 with the addresses of IPv4': proxyHeaderV2(0x21, 0x21, IPV4),
  'version 2 with a cut TLV': proxyHeaderV2(0x21, 0x11, IPV4, tlv(0x04, 'abc').subarray(0, 5)),
  'version 2 with half a TLV header': proxyHeaderV2(0x21, 0x11, IPV4, Buffer.from([4, 0])),
  'version 2 with a cut TLV for TLS': proxyHeaderV2(0x21, 0x11, IPV4, tlv(0x20, 'abcd')),
  'version 2 with a cut TLV in the one for TLS': proxyHeaderV2(
    0x21,
    0x11,
    IPV4,
    ssl(0x03, 0, [tlv(0x22, 'name').subarray(0, 6)]),
  ),
  'version 2 that is too long': proxyHeaderV2(0x20, 0x00, Buffer.alloc(PROXY_HEADER_SIZE_MAX - 15)),
};

for (const [title, header] of Object.entries(WRONG)) {
  t.test(`refused: ${title}`, async (t) => {
    t.throws(() => scanProxyHeader(header), MalformedProxyHeader);
  });
}

t.test('a header that is too long is refused before it has come', async (t) => {
  const header = proxyHeaderV2(0x21, 0x11, Buffer.alloc(PROXY_HEADER_SIZE_MAX));
  t.throws(() => scanProxyHeader(header.subarray(0, 16)), MalformedProxyHeader);
});

t.test('whatever comes is a header, none, incomplete or malformed; and bounded', async () => {
  const starts = [
    Buffer.from('PROXY TCP4 '),
    proxyHeaderV2(0x21, 0x11).subarray(0, 13),
    Buffer.alloc(0),
  ];
  const input = fc.tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(input, ([start, rest]) => {
      const bytes = Buffer.concat([start, rest]);
      try {
        const scan = scanProxyHeader(bytes);
        if (scan === 'none' || scan === 'incomplete') return true;
        return scan.size <= bytes.length && scan.size <= PROXY_HEADER_SIZE_MAX;
      } catch (error) {
        return error instanceof MalformedProxyHeader;
      }
    }),
    { numRuns: 2000 },
  );
});
