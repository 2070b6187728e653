// What the spec says, held against facts written down a second time.
import t from 'tap';
import * as protocol from '../index.ts';
import { CLASSES, METHODS, type MethodInfo, PROTOCOL_HEADER, REPLY_CODES } from '../index.ts';

const EXTENSIONS = [
  'connection.blocked',
  'connection.unblocked',
  'connection.update-secret',
  'connection.update-secret-ok',
  'exchange.bind',
  'exchange.bind-ok',
  'exchange.unbind',
  'exchange.unbind-ok',
  'basic.nack',
  'confirm.select',
  'confirm.select-ok',
];

function nameOf(info: MethodInfo): string {
  return `${info.className}.${info.methodName}`;
}

function find(name: string): MethodInfo {
  const info = METHODS.find((candidate) => nameOf(candidate) === name);
  if (info === undefined) throw new Error(`there is no ${name}`);
  return info;
}

t.test('there are the 53 standard methods, 11 of RabbitMQ and 2 of access', (t) => {
  const names = METHODS.map(nameOf);
  t.same(
    names.filter((name) => EXTENSIONS.includes(name)),
    EXTENSIONS,
  );
  t.same(
    names.filter((name) => name.startsWith('access.')),
    ['access.request', 'access.request-ok'],
  );
  t.equal(names.length, 53 + 11 + 2);
  t.end();
});

t.test('methods have their class and number', (t) => {
  const numbers = METHODS.map((info) => `${info.id >>> 16}.${info.id & 0xffff}`);
  const byClass = Object.fromEntries(CLASSES.map(({ id, name }) => [name, id]));
  t.same(byClass, {
    connection: 10,
    channel: 20,
    access: 30,
    exchange: 40,
    queue: 50,
    basic: 60,
    confirm: 85,
    tx: 90,
  });
  t.same(
    numbers,
    [
      '10.10 10.11 10.20 10.21 10.30 10.31 10.40 10.41 10.50 10.51 10.60 10.61 10.70 10.71',
      '20.10 20.11 20.20 20.21 20.40 20.41',
      '30.10 30.11',
      '40.10 40.11 40.20 40.21 40.30 40.31 40.40 40.51',
      '50.10 50.11 50.20 50.21 50.30 50.31 50.40 50.41 50.50 50.51',
      '60.10 60.11 60.20 60.21 60.30 60.31 60.40 60.50 60.60 60.70 60.71 60.72 60.80 60.90',
      '60.100 60.110 60.111 60.120',
      '85.10 85.11',
      '90.10 90.11 90.20 90.21 90.30 90.31',
    ]
      .join(' ')
      .split(' '),
  );
  t.equal(find('exchange.unbind-ok').id & 0xffff, 51);
  t.end();
});

t.test('ids in the generated constants are those of the metadata', (t) => {
  for (const info of METHODS) {
    const constant = `${nameOf(info).replace(/[.-]/g, '_').toUpperCase()}_ID`;
    t.equal(Reflect.get(protocol, constant), info.id, constant);
  }
  t.end();
});

t.test('these methods go in both directions, all others in one', (t) => {
  t.same(METHODS.filter((info) => info.toServer && info.toClient).map(nameOf), [
    'connection.close',
    'connection.close-ok',
    'channel.flow',
    'channel.flow-ok',
    'channel.close',
    'channel.close-ok',
    'basic.cancel',
    'basic.cancel-ok',
    'basic.ack',
    'basic.nack',
  ]);
  t.end();
});

t.test('publish, return, deliver and get-ok carry content', (t) => {
  t.same(METHODS.filter(({ content }) => content).map(nameOf), [
    'basic.publish',
    'basic.return',
    'basic.deliver',
    'basic.get-ok',
  ]);
  t.end();
});

t.test('every synchronous request has its response', (t) => {
  for (const info of METHODS) {
    const isRequest = info.synchronous && !/-(ok|empty)$/.test(info.methodName);
    t.equal(info.responses.length > 0, isRequest, nameOf(info));
  }
  t.same(find('basic.get').responses, ['get-ok', 'get-empty']);
  t.same(find('basic.recover').responses, ['recover-ok']);
  t.end();
});

t.test('fields stand in the order of the wire', (t) => {
  const fieldsOf = (name: string): string =>
    find(name)
      .fields.map((field) => `${field.property}:${field.type}${field.reserved ? '!' : ''}`)
      .join(' ');
  t.equal(
    fieldsOf('exchange.declare'),
    'reserved1:short! exchange:shortstr type:shortstr passive:bit durable:bit autoDelete:bit ' +
      'internal:bit noWait:bit arguments:table',
  );
  t.equal(
    fieldsOf('queue.unbind'),
    'reserved1:short! queue:shortstr exchange:shortstr routingKey:shortstr arguments:table',
  );
  t.equal(fieldsOf('confirm.select'), 'noWait:bit');
  t.end();
});

t.test('the fourteen properties of basic have their flags from the highest bit down', (t) => {
  const basic = CLASSES.find(({ name }) => name === 'basic');
  t.same(
    basic?.properties.map(({ property }) => property),
    (
      'contentType contentEncoding headers deliveryMode priority correlationId replyTo expiration ' +
      'messageId timestamp type userId appId clusterId'
    ).split(' '),
  );
  t.equal(protocol.BASIC_CONTENT_TYPE_FLAG, 1 << 15);
  t.equal(protocol.BASIC_CLUSTER_ID_FLAG, 1 << 2);
  t.end();
});

t.test('reply codes close what the standard says', (t) => {
  const byScope = (scope: string): readonly string[] =>
    Object.entries(REPLY_CODES)
      .filter(([, info]) => info.scope === scope)
      .map(([code, info]) => `${code} ${info.name}`);
  t.same(byScope('none'), ['200 REPLY_SUCCESS']);
  t.same(byScope('channel'), [
    '311 CONTENT_TOO_LARGE',
    '312 NO_ROUTE',
    '313 NO_CONSUMERS',
    '403 ACCESS_REFUSED',
    '404 NOT_FOUND',
    '405 RESOURCE_LOCKED',
    '406 PRECONDITION_FAILED',
  ]);
  t.same(byScope('connection'), [
    '320 CONNECTION_FORCED',
    '402 INVALID_PATH',
    '501 FRAME_ERROR',
    '502 SYNTAX_ERROR',
    '503 COMMAND_INVALID',
    '504 CHANNEL_ERROR',
    '505 UNEXPECTED_FRAME',
    '506 RESOURCE_ERROR',
    '530 NOT_ALLOWED',
    '540 NOT_IMPLEMENTED',
    '541 INTERNAL_ERROR',
  ]);
  for (const [code, { name }] of Object.entries(REPLY_CODES)) {
    t.equal(Reflect.get(protocol, name), Number(code), name);
  }
  t.end();
});

t.test('a client begins with AMQP 0-9-1', (t) => {
  t.equal(PROTOCOL_HEADER.toString('latin1'), 'AMQP\0\0\x09\x01');
  t.end();
});
