import t from 'tap';
import { AddressList, isAddressOrNetwork, isLoopbackAddress } from './address-list.ts';

t.test(
  'loopback is 127.0.0.0/8 and ::1, also as a socket for both families tells it',
  async (t) => {
    for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
      t.ok(isLoopbackAddress(address), address);
    }
    for (const address of [
      '128.0.0.1',
      '10.127.0.1',
      '::2',
      '::ffff:10.0.0.1',
      '127.example',
      '',
    ]) {
      t.notOk(isLoopbackAddress(address), address);
    }
  },
);

t.test('a list holds addresses and networks of both families', async (t) => {
  const list = new AddressList(['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::1']);
  for (const address of [
    '192.0.2.7',
    '10.255.0.1',
    '::ffff:10.1.1.1',
    '2001:db8:1::2',
    '2001:0db8:0000::2',
    '::1',
  ]) {
    t.ok(list.includes(address), address);
  }
  for (const address of [
    '192.0.2.8',
    '11.0.0.1',
    '2001:db9::1',
    '::2',
    '',
    'unix',
    '::ffff:1.1.1.1',
  ])
    t.notOk(list.includes(address), address);
});

t.test('a network of length 0 is everybody of its family, and an empty list nobody', async (t) => {
  t.ok(new AddressList(['0.0.0.0/0']).includes('203.0.113.9'));
  t.notOk(new AddressList(['0.0.0.0/0']).includes('2001:db8::1'));
  t.notOk(new AddressList([]).includes('127.0.0.1'));
});

t.test('an entry that is neither an address nor a network is refused', async (t) => {
  for (const entry of [
    '',
    '*',
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0/8',
    '10.0.0.0/-1',
  ]) {
    t.notOk(isAddressOrNetwork(entry), entry);
    t.throws(() => new AddressList(['127.0.0.1', entry]), RangeError, entry);
  }
});
