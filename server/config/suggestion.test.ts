import t from 'tap';
import { nearestName, suggestionFor } from './suggestion.ts';

const names = ['port', 'bind', 'heartbeat', 'tls_port', 'frame_max'];

t.test('the nearest name is suggested, where it may have been meant', async (t) => {
  t.equal(nearestName('prot', names), 'port');
  t.equal(nearestName('PORT', names), 'port');
  t.equal(nearestName('tlsport', names), 'tls_port');
  t.equal(nearestName('heart_beats', names), 'heartbeat');
  t.equal(nearestName('framemax', names), 'frame_max');
  t.equal(nearestName('vhost', names), null);
  t.equal(nearestName('ab', names), null);
  t.equal(nearestName('', names), null);
});

t.test('a suggestion is the end of a sentence, or nothing', async (t) => {
  t.equal(suggestionFor('bnid', names), "; did you mean 'bind'?");
  t.equal(suggestionFor('something_else', names), '');
});
