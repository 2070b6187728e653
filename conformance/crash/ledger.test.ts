import t from 'tap';
import { bodyOf, Ledger, type LedgerMessage } from './ledger.ts';

const QUEUE = 'q';

function publish(ledger: Ledger): LedgerMessage {
  return ledger.publish('p', [QUEUE], 0);
}

function deliver(ledger: Ledger, message: LedgerMessage, redelivered: boolean): void {
  ledger.deliver(QUEUE, bodyOf(message), redelivered);
}

/** A message that was delivered and acked; the broker has answered something behind the ack. */
function settled(ledger: Ledger): LedgerMessage {
  const message = publish(ledger);
  ledger.confirm(message);
  deliver(ledger, message, false);
  ledger.ack(QUEUE, message.id);
  ledger.settleAcks(QUEUE, [message.id]);
  return message;
}

function textsOf(ledger: Ledger): readonly string[] {
  return ledger.violations.map(({ text }) => text);
}

t.test('an ack is for good once something published behind it is confirmed', (t) => {
  const ledger = new Ledger();
  const message = settled(ledger);
  ledger.confirm(publish(ledger));
  ledger.killed();
  deliver(ledger, message, true);
  t.same(textsOf(ledger), [`q brings back ${message.id}, acked for good`]);
  t.end();
});

t.test('a confirm of what was published before the answer says nothing of an ack', (t) => {
  const ledger = new Ledger();
  const before = publish(ledger);
  const message = settled(ledger);
  ledger.confirm(before);
  ledger.killed();
  deliver(ledger, message, true);
  t.same(textsOf(ledger), []);
  t.end();
});

t.test('a confirm says nothing of acks that a kill before it may have undone', (t) => {
  const ledger = new Ledger();
  const message = settled(ledger);
  ledger.killed();
  ledger.confirm(publish(ledger));
  deliver(ledger, message, true);
  t.same(textsOf(ledger), []);
  t.end();
});

t.test('an ack that was lost and is given again counts as any other', (t) => {
  const ledger = new Ledger();
  const message = settled(ledger);
  ledger.killed();
  deliver(ledger, message, true);
  ledger.ack(QUEUE, message.id);
  ledger.settleAcks(QUEUE, [message.id]);
  ledger.confirm(publish(ledger));
  ledger.killed();
  deliver(ledger, message, true);
  t.same(textsOf(ledger), [`q brings back ${message.id}, acked for good`]);
  t.end();
});
