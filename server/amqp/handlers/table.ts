/**
 * Every method that a client may send on a channel other than 0, with the function that carries it out.
 *
 * `basicPublish` never comes through here: frame-router.ts hands publishes to the channel with their content.
 */
import {
  encodeAccessRequestOk,
  encodeChannelCloseOk,
  encodeChannelFlowOk,
  encodeConfirmSelectOk,
  type ServerMethods,
  sizeOfAccessRequestOk,
  sizeOfChannelCloseOk,
  sizeOfChannelFlowOk,
  sizeOfConfirmSelectOk,
} from '../../../generated/index.ts';
import type { Channel } from '../channel.ts';
import { ConfirmTracker } from '../confirm-tracker.ts';
import {
  channelError,
  commandInvalid,
  notImplemented,
  preconditionFailed,
} from '../protocol-error.ts';
import { basicHandlers } from './basic.ts';
import { exchangeHandlers } from './exchange.ts';
import { queueHandlers } from './queue.ts';
import { txHandlers } from './tx.ts';

/** Methods of the connection have no business on a channel, nor have answers to what the server never asks. */
function refuse(): never {
  throw commandInvalid('unimplemented method');
}

/** One function per method. */
export const channelMethods: ServerMethods<Channel> = {
  ...basicHandlers,
  ...exchangeHandlers,
  ...queueHandlers,
  ...txHandlers,

  channelOpen() {
    throw channelError("second 'channel.open' seen");
  },

  channelFlow(channel, m) {
    if (!m.active) throw notImplemented('active=false');
    channel.reply(-1, () =>
      channel.write(sizeOfChannelFlowOk({ active: true }), (buf, at) =>
        encodeChannelFlowOk(buf, at, channel.number, { active: true }),
      ),
    );
  },

  channelFlowOk: refuse,

  channelClose(channel) {
    channel.reply(-1, () => {
      channel.connection.channelClosed(channel);
      channel.write(sizeOfChannelCloseOk(), (buf, at) =>
        encodeChannelCloseOk(buf, at, channel.number),
      );
    });
  },

  channelCloseOk: refuse,

  accessRequest(channel) {
    channel.reply(-1, () =>
      channel.write(sizeOfAccessRequestOk({ ticket: 1 }), (buf, at) =>
        encodeAccessRequestOk(buf, at, channel.number, { ticket: 1 }),
      ),
    );
  },

  confirmSelect(channel, m) {
    if (channel.transaction !== null) {
      throw preconditionFailed('cannot switch from tx to confirm mode');
    }
    channel.confirms ??= new ConfirmTracker();
    if (m.noWait) return;
    channel.reply(-1, () =>
      channel.write(sizeOfConfirmSelectOk(), (buf, at) =>
        encodeConfirmSelectOk(buf, at, channel.number),
      ),
    );
  },

  basicPublish: refuse,
  connectionStartOk: refuse,
  connectionSecureOk: refuse,
  connectionTuneOk: refuse,
  connectionOpen: refuse,
  connectionClose: refuse,
  connectionCloseOk: refuse,
  connectionUpdateSecret: refuse,
};
