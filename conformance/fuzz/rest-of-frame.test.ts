import t from 'tap';
import { PROTOCOL_HEADER } from '../../generated/index.ts';
import { rawFrame } from '../support/raw-client.ts';
import { restOfFrame } from './rest-of-frame.ts';

const FRAME = rawFrame(1, 1, Buffer.from('payload'));

function restOf(...parts: readonly Buffer[]): Buffer | null {
  return restOfFrame(Buffer.concat([PROTOCOL_HEADER, ...parts]));
}

t.test('whole frames lack nothing', async (t) => {
  t.same(restOf(), Buffer.alloc(0));
  t.same(restOf(FRAME, FRAME), Buffer.alloc(0));
});

t.test('a frame that is cut anywhere becomes whole by its rest', async (t) => {
  for (let length = 1; length < FRAME.length; length++) {
    const cut = FRAME.subarray(0, length);
    const rest = restOf(FRAME, cut);
    t.not(rest, null);
    t.same(restOf(FRAME, cut, rest ?? FRAME), Buffer.alloc(0), `cut to ${length} octets`);
  }
});

t.test(
  'nothing can follow a frame that ends wrong, is too large, or another protocol',
  async (t) => {
    t.equal(restOf(FRAME.subarray(0, -1), Buffer.from([0]), FRAME), null);
    t.equal(restOf(Buffer.from([1, 0, 1, 0xff, 0xff, 0xff, 0xff])), null);
    t.equal(restOfFrame(Buffer.from('GET / HTTP/1.1')), null);
    t.equal(restOfFrame(Buffer.from('AMQP')), null);
  },
);

t.test(
  'of a frame that will be too large the header is missing, so that it is refused',
  async (t) => {
    t.same(restOf(Buffer.from([1, 0, 1, 0xff])), Buffer.alloc(3));
  },
);
