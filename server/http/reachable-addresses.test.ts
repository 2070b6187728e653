import type { NetworkInterfaceInfo } from 'node:os';
import t from 'tap';
import { reachableUrls } from './reachable-addresses.ts';

function info(family: 'IPv4' | 'IPv6', address: string): NetworkInterfaceInfo {
  return {
    family,
    address,
    netmask: '',
    mac: '',
    internal: false,
    cidr: null,
    scopeid: 0,
  } as NetworkInterfaceInfo;
}

const interfaces = {
  lo: [info('IPv4', '127.0.0.1'), info('IPv6', '::1')],
  eth0: [info('IPv4', '10.0.0.7'), info('IPv6', 'fd00::7'), info('IPv6', 'fe80::7')],
};

t.test('a single address is its own, IPv6 in brackets', async (t) => {
  t.same(reachableUrls({ protocol: 'amqp', address: '10.0.0.7', port: 1 }, interfaces), [
    'amqp://10.0.0.7:1',
  ]);
  t.same(reachableUrls({ protocol: 'http', address: '::1', port: 2 }, interfaces), [
    'http://[::1]:2/',
  ]);
});

t.test('in place of all addresses stand those of the machine', async (t) => {
  t.same(reachableUrls({ protocol: 'amqp', address: '0.0.0.0', port: 1 }, interfaces), [
    'amqp://127.0.0.1:1',
    'amqp://10.0.0.7:1',
  ]);
  t.same(reachableUrls({ protocol: 'amqp', address: '::', port: 1 }, interfaces), [
    'amqp://127.0.0.1:1',
    'amqp://[::1]:1',
    'amqp://10.0.0.7:1',
    'amqp://[fd00::7]:1',
  ]);
});

t.test('a Unix socket is shown by its path', async (t) => {
  t.same(reachableUrls({ protocol: 'amqp', address: '/run/amqp.sock', port: 0 }, interfaces), [
    'amqp+unix:///run/amqp.sock',
  ]);
});
