/** tx: select, commit, rollback. What a transaction holds is in channel-transaction.ts. */
import {
  encodeTxCommitOk,
  encodeTxRollbackOk,
  encodeTxSelectOk,
  type ServerMethods,
  sizeOfTxCommitOk,
  sizeOfTxRollbackOk,
  sizeOfTxSelectOk,
} from '../../../generated/index.ts';
import type { Channel } from '../channel.ts';
import { ChannelTransaction } from '../channel-transaction.ts';
import { preconditionFailed } from '../protocol-error.ts';

/** One function per method that a client may send. */
export const txHandlers: Pick<ServerMethods<Channel>, 'txSelect' | 'txCommit' | 'txRollback'> = {
  txSelect(channel) {
    if (channel.confirms !== null) {
      throw preconditionFailed('cannot switch from confirm to tx mode');
    }
    channel.settlements.transaction ??= new ChannelTransaction(channel.vhost);
    channel.reply(-1, () =>
      channel.write(sizeOfTxSelectOk(), (buf, at) => encodeTxSelectOk(buf, at, channel.number)),
    );
  },

  txCommit(channel) {
    const position = channel.commit(requireTransaction(channel));
    channel.reply(position, () =>
      channel.write(sizeOfTxCommitOk(), (buf, at) => encodeTxCommitOk(buf, at, channel.number)),
    );
  },

  txRollback(channel) {
    requireTransaction(channel).rollback(channel.settlements.unacked);
    channel.reply(-1, () =>
      channel.write(sizeOfTxRollbackOk(), (buf, at) => encodeTxRollbackOk(buf, at, channel.number)),
    );
  },
};

function requireTransaction(channel: Channel): ChannelTransaction {
  if (channel.transaction === null) throw preconditionFailed('channel is not transactional');
  return channel.transaction;
}
