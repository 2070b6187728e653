/** exchange.declare, delete, bind, unbind. */
import {
  type ExchangeBind,
  type ExchangeUnbind,
  encodeExchangeBindOk,
  encodeExchangeDeclareOk,
  encodeExchangeDeleteOk,
  encodeExchangeUnbindOk,
  type ServerMethods,
  sizeOfExchangeBindOk,
  sizeOfExchangeDeclareOk,
  sizeOfExchangeDeleteOk,
  sizeOfExchangeUnbindOk,
} from '../../../generated/index.ts';
import type { BindingRequest } from '../../broker/binding.ts';
import { bind, unbind } from '../../broker/bindings.ts';
import { checkExchange, declareExchange, deleteExchange } from '../../broker/exchanges.ts';
import type { Channel } from '../channel.ts';
import { requireNoNewline } from './queue-name.ts';

function request(m: ExchangeBind | ExchangeUnbind): BindingRequest {
  return {
    source: m.source,
    kind: 'exchange',
    destination: m.destination,
    bindingKey: m.routingKey,
    args: m.arguments,
  };
}

/** One function per method that a client may send. */
export const exchangeHandlers: Pick<
  ServerMethods<Channel>,
  'exchangeDeclare' | 'exchangeDelete' | 'exchangeBind' | 'exchangeUnbind'
> = {
  exchangeDeclare(channel, m) {
    const { vhost, actor, number } = channel;
    requireNoNewline('exchange', m.exchange);
    const { exchange: name, type, durable, autoDelete, internal, arguments: args } = m;
    const position = m.passive
      ? checkExchange(vhost, name)
      : declareExchange(vhost, actor, { name, type, durable, autoDelete, internal, args });
    if (m.noWait) return;
    channel.reply(position, () =>
      channel.write(sizeOfExchangeDeclareOk(), (buf, at) =>
        encodeExchangeDeclareOk(buf, at, number),
      ),
    );
  },

  exchangeDelete(channel, m) {
    const { vhost, actor, number } = channel;
    const position = deleteExchange(vhost, actor, m.exchange, m.ifUnused);
    if (m.noWait) return;
    channel.reply(position, () =>
      channel.write(sizeOfExchangeDeleteOk(), (buf, at) => encodeExchangeDeleteOk(buf, at, number)),
    );
  },

  exchangeBind(channel, m) {
    const position = bind(channel.vhost, channel.actor, request(m));
    if (m.noWait) return;
    channel.reply(position, () =>
      channel.write(sizeOfExchangeBindOk(), (buf, at) =>
        encodeExchangeBindOk(buf, at, channel.number),
      ),
    );
  },

  exchangeUnbind(channel, m) {
    const position = unbind(channel.vhost, channel.actor, request(m));
    if (m.noWait) return;
    channel.reply(position, () =>
      channel.write(sizeOfExchangeUnbindOk(), (buf, at) =>
        encodeExchangeUnbindOk(buf, at, channel.number),
      ),
    );
  },
};
