/** What a user without the right permission is refused, method by method. */
import type { ConfirmChannel } from 'amqplib';
import { drain, expectChannelError, publish, type ServerClose } from '../support/amqp.ts';
import { type Broker, uniqueName } from '../support/broker.ts';
import { differs, type ScenarioBody, scenario } from '../support/scenario.ts';
import { type ConformanceUser, LIMITED, POWERLESS } from '../support/users.ts';

type Act = (channel: ConfirmChannel, name: string, other: string) => Promise<unknown>;

interface Refusal {
  readonly rule: string;
  readonly method: string;
  /** The permission that is missing on the resource. */
  readonly missing: 'configure' | 'write' | 'read';
  readonly kind: 'queue' | 'exchange';
  /** What the user may do with the resource, and with the other one that the method names. */
  readonly allowed: string;
  readonly otherAllowed: string;
  readonly act: Act;
}

const REFUSALS: readonly Refusal[] = [
  {
    rule: 'queue-declare',
    method: 'queue.declare',
    missing: 'configure',
    kind: 'queue',
    allowed: 'wr',
    otherAllowed: '',
    act: (channel, name) => channel.assertQueue(name),
  },
  {
    rule: 'queue-delete',
    method: 'queue.delete',
    missing: 'configure',
    kind: 'queue',
    allowed: 'wr',
    otherAllowed: '',
    act: (channel, name) => channel.deleteQueue(name),
  },
  {
    rule: 'queue-purge',
    method: 'queue.purge',
    missing: 'read',
    kind: 'queue',
    allowed: 'cw',
    otherAllowed: '',
    act: (channel, name) => channel.purgeQueue(name),
  },
  {
    rule: 'queue-bind-queue',
    method: 'queue.bind',
    missing: 'write',
    kind: 'queue',
    allowed: 'cr',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.bindQueue(name, other, 'key'),
  },
  {
    rule: 'queue-bind-exchange',
    method: 'queue.bind',
    missing: 'read',
    kind: 'exchange',
    allowed: 'cw',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.bindQueue(other, name, 'key'),
  },
  {
    rule: 'queue-unbind-queue',
    method: 'queue.unbind',
    missing: 'write',
    kind: 'queue',
    allowed: 'cr',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.unbindQueue(name, other, 'key'),
  },
  {
    rule: 'queue-unbind-exchange',
    method: 'queue.unbind',
    missing: 'read',
    kind: 'exchange',
    allowed: 'cw',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.unbindQueue(other, name, 'key'),
  },
  {
    rule: 'exchange-declare',
    method: 'exchange.declare',
    missing: 'configure',
    kind: 'exchange',
    allowed: 'wr',
    otherAllowed: '',
    act: (channel, name) => channel.assertExchange(name, 'direct'),
  },
  {
    rule: 'exchange-delete',
    method: 'exchange.delete',
    missing: 'configure',
    kind: 'exchange',
    allowed: 'wr',
    otherAllowed: '',
    act: (channel, name) => channel.deleteExchange(name),
  },
  {
    rule: 'exchange-bind-destination',
    method: 'exchange.bind',
    missing: 'write',
    kind: 'exchange',
    allowed: 'cr',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.bindExchange(name, other, 'key'),
  },
  {
    rule: 'exchange-bind-source',
    method: 'exchange.bind',
    missing: 'read',
    kind: 'exchange',
    allowed: 'cw',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.bindExchange(other, name, 'key'),
  },
  {
    rule: 'exchange-unbind-destination',
    method: 'exchange.unbind',
    missing: 'write',
    kind: 'exchange',
    allowed: 'cr',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.unbindExchange(name, other, 'key'),
  },
  {
    rule: 'exchange-unbind-source',
    method: 'exchange.unbind',
    missing: 'read',
    kind: 'exchange',
    allowed: 'cw',
    otherAllowed: 'cwr',
    act: (channel, name, other) => channel.unbindExchange(other, name, 'key'),
  },
  {
    rule: 'basic-publish',
    method: 'basic.publish',
    missing: 'write',
    kind: 'exchange',
    allowed: 'cr',
    otherAllowed: '',
    act: (channel, name) => publish(channel, name, 'key', 'refused'),
  },
  {
    rule: 'basic-get',
    method: 'basic.get',
    missing: 'read',
    kind: 'queue',
    allowed: 'cw',
    otherAllowed: '',
    act: (channel, name) => channel.get(name),
  },
  {
    rule: 'basic-consume',
    method: 'basic.consume',
    missing: 'read',
    kind: 'queue',
    allowed: 'cw',
    otherAllowed: '',
    act: (channel, name) => channel.consume(name, () => undefined),
  },
];

/** Both resources exist, so that nothing but the permission can be what is wrong. */
async function declareAs(broker: Broker, name: string, kind: Refusal['kind']): Promise<void> {
  const admin = await broker.channel();
  if (kind === 'queue') await admin.assertQueue(name);
  else await admin.assertExchange(name, 'direct');
}

function nameFor(broker: Broker, kind: Refusal['kind'], allowed: string): string {
  const hint = `perm.${allowed}-`;
  return kind === 'queue' ? broker.queueName(hint) : broker.exchangeName(hint);
}

function loginOf(user: ConformanceUser): { username: string; password: string } {
  return { username: user.name, password: user.password };
}

/** The part of the refusal that names what is missing; 3.10 says only `access to ...`. */
type Wording = (permission: Refusal['missing']) => string;
const NAMED: Wording = (permission) => `${permission} access`;
const UNNAMED: Wording = () => 'access';

/** A scenario that ends in a refusal, with the wording that the target has for it. */
function refusalScenario(title: string, body: (wording: Wording) => ScenarioBody): void {
  const difference = differs(
    'rabbitmq',
    'RabbitMQ 3.10 does not name the permission that is missing.',
    'Later versions do, and it says what to grant.',
    body(UNNAMED),
  );
  scenario(title, { ...difference, needsUsers: true }, body(NAMED));
}

function accessRefused(
  access: string,
  resource: string,
  user: ConformanceUser,
  method: string,
): ServerClose {
  const text = `ACCESS_REFUSED - ${access} to ${resource} in vhost '/' refused for user '${user.name}'`;
  return { code: 403, text, method };
}

for (const refusal of REFUSALS) {
  const { rule, method, missing, kind } = refusal;
  refusalScenario(
    `${method} without ${missing} permission on the ${kind} closes the channel with 403 [access.permissions/${rule}]`,
    (wording) => async (t, broker) => {
      const name = nameFor(broker, kind, refusal.allowed);
      const otherKind = method.startsWith('exchange') || kind === 'queue' ? 'exchange' : 'queue';
      const other = nameFor(broker, otherKind, refusal.otherAllowed);
      await declareAs(broker, name, kind);
      await declareAs(broker, other, otherKind);
      const channel = await broker.channel(loginOf(LIMITED));
      const expected = accessRefused(wording(missing), `${kind} '${name}'`, LIMITED, method);
      await expectChannelError(t, channel, expected, () => refusal.act(channel, name, other));
    },
  );
}

refusalScenario(
  'the default exchange is amq.default where permissions are concerned [access.permissions/default-exchange]',
  (wording) => async (t, broker) => {
    const channel = await broker.channel(loginOf(LIMITED));
    const exchange = "exchange 'amq.default'";
    const expected = accessRefused(wording('write'), exchange, LIMITED, 'basic.publish');
    await expectChannelError(t, channel, expected, () => publish(channel, '', 'key', 'refused'));
  },
);

refusalScenario(
  'an empty expression matches no name [access.permissions/empty-expression]',
  (wording) => async (t, broker) => {
    const channel = await broker.channel(loginOf(POWERLESS));
    const queue = uniqueName('refused');
    const resource = `queue '${queue}'`;
    const expected = accessRefused(wording('configure'), resource, POWERLESS, 'queue.declare');
    await expectChannelError(t, channel, expected, () => channel.assertQueue(queue));
  },
);

scenario(
  'a user may do what its permissions allow [access.permissions/allowed]',
  { needsUsers: true },
  async (t, broker) => {
    const channel = await broker.channel(loginOf(LIMITED));
    const queue = nameFor(broker, 'queue', 'cwr');
    const exchange = nameFor(broker, 'exchange', 'cwr');
    await channel.assertQueue(queue);
    await channel.assertExchange(exchange, 'direct');
    await channel.bindQueue(queue, exchange, 'key');
    await publish(channel, exchange, 'key', 'allowed');
    t.same(await drain(channel, queue), ['allowed']);
  },
);

scenario(
  'a passive declare needs no permission [access.permissions/passive]',
  { needsUsers: true },
  async (t, broker) => {
    const admin = await broker.channel();
    const queue = broker.queueName('visible');
    const exchange = broker.exchangeName('visible');
    await admin.assertQueue(queue);
    await admin.assertExchange(exchange, 'direct');
    const channel = await broker.channel(loginOf(POWERLESS));
    t.equal((await channel.checkQueue(queue)).queue, queue);
    t.same(await channel.checkExchange(exchange), {});
  },
);
