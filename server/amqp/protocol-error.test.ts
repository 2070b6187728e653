import t from 'tap';
import { FRAME_ERROR, WireError } from '../../generated/index.ts';
import { accessRefused, notFound, preconditionFailed } from '../broker/broker-error.ts';
import { ProtocolError, replyText, toProtocolError } from './protocol-error.ts';

t.test('a reply text begins with the name of its code', async (t) => {
  t.equal(replyText(new ProtocolError(404, "no queue 'q'")), "NOT_FOUND - no queue 'q'");
  t.equal(replyText(new ProtocolError(541, '')), 'INTERNAL_ERROR');
});

t.test('a reply text is cut to what a short string holds, between characters', async (t) => {
  for (const character of ['x', 'é', '€', '😀']) {
    for (let padding = 0; padding < 4; padding++) {
      const text = replyText(new ProtocolError(404, 'p'.repeat(padding) + character.repeat(300)));
      t.ok(Buffer.byteLength(text) <= 255, `${Buffer.byteLength(text)} octets`);
      t.ok(Buffer.byteLength(text) > 255 - 8);
      t.match(text, /^NOT_FOUND - p*[^p].*\.\.\.$/u);
      t.notOk(text.includes('\uFFFD'));
      const kept = text.slice('NOT_FOUND - '.length + padding, -3);
      t.equal(kept, character.repeat(kept.length / character.length));
    }
  }
  const fits = 'x'.repeat(255 - 'NOT_FOUND - '.length);
  t.equal(replyText(new ProtocolError(404, fits)), `NOT_FOUND - ${fits}`);
});

t.test('each refusal of the broker ends its channel with its own code', async (t) => {
  const cases = [
    [notFound('queue', 'q', '/'), 404, "no queue 'q' in vhost '/'"],
    [accessRefused('no'), 403, 'no'],
    [preconditionFailed('no'), 406, 'no'],
  ] as const;
  for (const [error, replyCode, message] of cases) {
    t.match(toProtocolError(error), { replyCode, message, scope: 'channel' });
  }
});

t.test('malformed bytes end the connection, and so does what nobody foresaw', async (t) => {
  const wire = toProtocolError(new WireError(FRAME_ERROR, 'truncated', 0));
  t.match(wire, { replyCode: 501, message: 'truncated', scope: 'connection' });
  t.match(toProtocolError(new TypeError('x is undefined')), {
    replyCode: 541,
    message: '',
    scope: 'connection',
  });
  const own = new ProtocolError(530, 'no');
  t.equal(toProtocolError(own), own);
});

t.test('the scope of an error is that of its code, unless it is said', async (t) => {
  t.equal(new ProtocolError(406, '').scope, 'channel');
  t.equal(new ProtocolError(504, '').scope, 'connection');
  t.equal(new ProtocolError(403, '', { scope: 'connection' }).scope, 'connection');
});
