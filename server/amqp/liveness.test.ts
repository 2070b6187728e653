import t from 'tap';
import { Liveness } from './liveness.ts';

/** Checks at each time; what is received or sent, and whether it is read, is as given. */
function check(
  liveness: Liveness,
  nowMs: number,
  { received = false, sent = false, isRead = true } = {},
) {
  liveness.hasReceived = received;
  return liveness.check(nowMs, sent, isRead);
}

t.test('before the handshake is over only its deadline counts', async (t) => {
  const liveness = new Liveness(0, 1000);
  t.equal(check(liveness, 999), 'nothing');
  t.equal(check(liveness, 1000, { received: true, sent: true }), 'deadline-passed');
  liveness.begin(0);
  t.equal(check(liveness, 1_000_000), 'nothing');
});

t.test('a heartbeat is due when nothing was sent for half the interval', async (t) => {
  const liveness = new Liveness(0, 1000);
  liveness.begin(1000);
  t.equal(check(liveness, 499, { received: true }), 'nothing');
  t.equal(check(liveness, 500, { received: true }), 'send-heartbeat');
  t.equal(check(liveness, 600, { received: true, sent: true }), 'nothing');
  t.equal(check(liveness, 1099, { received: true }), 'nothing');
  t.equal(check(liveness, 1100, { received: true }), 'send-heartbeat');
});

t.test('a peer of which nothing came for two intervals is gone', async (t) => {
  const liveness = new Liveness(0, 1000);
  liveness.begin(1000);
  t.equal(check(liveness, 1000, { received: true, sent: true }), 'nothing');
  t.equal(check(liveness, 3000, { sent: true }), 'nothing');
  t.equal(check(liveness, 3001, { sent: true }), 'peer-is-gone');
});

t.test('a peer that is not read is not judged', async (t) => {
  const liveness = new Liveness(0, 1000);
  liveness.begin(1000);
  t.equal(check(liveness, 10_000, { sent: true, isRead: false }), 'nothing');
  t.equal(check(liveness, 12_000, { sent: true }), 'nothing');
  t.equal(check(liveness, 12_001, { sent: true }), 'peer-is-gone');
});

t.test('an answer to a close is awaited no longer than a heartbeat interval', async (t) => {
  const slow = new Liveness(0, 0);
  slow.begin(60_000);
  slow.expectCloseWithin(100, 30_000);
  t.equal(check(slow, 30_099), 'nothing');
  t.equal(check(slow, 30_100, { received: true }), 'deadline-passed');
  const quick = new Liveness(0, 0);
  quick.begin(1000);
  quick.expectCloseWithin(100, 30_000);
  t.equal(check(quick, 1099), 'nothing', 'and no heartbeat is sent any more');
  t.equal(check(quick, 1100), 'deadline-passed');
});
