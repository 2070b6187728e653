/** queue.declare, bind, unbind, purge, delete. */
import {
  encodeQueueBindOk,
  encodeQueueDeclareOk,
  encodeQueueDeleteOk,
  encodeQueuePurgeOk,
  encodeQueueUnbindOk,
  type QueueBind,
  type QueueUnbind,
  type ServerMethods,
  sizeOfQueueBindOk,
  sizeOfQueueDeclareOk,
  sizeOfQueueDeleteOk,
  sizeOfQueuePurgeOk,
  sizeOfQueueUnbindOk,
} from '../../../generated/index.ts';
import type { BindingRequest } from '../../broker/binding.ts';
import { bind, unbind } from '../../broker/bindings.ts';
import { checkQueue, declareQueue, deleteQueue, purgeQueue } from '../../broker/queues.ts';
import type { Channel } from '../channel.ts';
import { queueNameOf, requireNoNewline } from './queue-name.ts';

/** An empty queue name is the queue declared last; with it, an empty key is that queue's name as well. */
function request(channel: Channel, m: QueueBind | QueueUnbind): BindingRequest {
  const destination = queueNameOf(channel, m.queue);
  const bindingKey = m.queue === '' && m.routingKey === '' ? destination : m.routingKey;
  return { source: m.exchange, kind: 'queue', destination, bindingKey, args: m.arguments };
}

function replyDeclareOk(
  channel: Channel,
  position: number,
  queue: string,
  messageCount: number,
  consumerCount: number,
): void {
  const method = { queue, messageCount, consumerCount };
  channel.reply(position, () =>
    channel.write(sizeOfQueueDeclareOk(method), (buf, at) =>
      encodeQueueDeclareOk(buf, at, channel.number, method),
    ),
  );
}

/** One function per method that a client may send. */
export const queueHandlers: Pick<
  ServerMethods<Channel>,
  'queueDeclare' | 'queueBind' | 'queueUnbind' | 'queuePurge' | 'queueDelete'
> = {
  queueDeclare(channel, m) {
    const { vhost, actor } = channel;
    requireNoNewline('queue', m.queue);
    if (vhost.directReplies.isDeclared(m.queue)) {
      if (!m.noWait) replyDeclareOk(channel, -1, m.queue, 0, 1);
      return;
    }
    const { queue: name, durable, exclusive, autoDelete, arguments: args } = m;
    const { queue, position } = m.passive
      ? checkQueue(vhost, actor, name)
      : declareQueue(vhost, actor, { name, durable, exclusive, autoDelete, args });
    channel.lastQueueName = queue.name;
    if (queue.owner === actor.owner) channel.connection.ownsQueue(queue);
    if (m.noWait) return;
    const { readyCount, consumers } = queue;
    replyDeclareOk(channel, position, queue.name, readyCount, consumers.count);
  },

  queueBind(channel, m) {
    const position = bind(channel.vhost, channel.actor, request(channel, m));
    if (m.noWait) return;
    channel.reply(position, () =>
      channel.write(sizeOfQueueBindOk(), (buf, at) => encodeQueueBindOk(buf, at, channel.number)),
    );
  },

  queueUnbind(channel, m) {
    const position = unbind(channel.vhost, channel.actor, request(channel, m));
    channel.reply(position, () =>
      channel.write(sizeOfQueueUnbindOk(), (buf, at) =>
        encodeQueueUnbindOk(buf, at, channel.number),
      ),
    );
  },

  queuePurge(channel, m) {
    const { vhost, actor, number } = channel;
    const { messageCount, position } = purgeQueue(vhost, actor, queueNameOf(channel, m.queue));
    if (m.noWait) return;
    const method = { messageCount };
    channel.reply(position, () =>
      channel.write(sizeOfQueuePurgeOk(method), (buf, at) =>
        encodeQueuePurgeOk(buf, at, number, method),
      ),
    );
  },

  queueDelete(channel, m) {
    const { vhost, actor, number } = channel;
    const { messageCount, position } = deleteQueue(vhost, actor, queueNameOf(channel, m.queue), m);
    if (m.noWait) return;
    const method = { messageCount };
    channel.reply(position, () =>
      channel.write(sizeOfQueueDeleteOk(method), (buf, at) =>
        encodeQueueDeleteOk(buf, at, number, method),
      ),
    );
  },
};
