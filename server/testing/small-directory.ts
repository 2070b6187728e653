/** The smallest data directory that has messages: for tests that damage every byte of it. */
import { EMPTY_TABLE } from '../../generated/index.ts';
import { declareQueue } from '../broker/queues.ts';
import type { Vhost } from '../broker/vhost.ts';
import { openBroker, publishAll, testActor } from './open-broker.ts';
import type { Teardown } from './temporary-directory.ts';

/** The queue in it, and the bodies of its messages in order. */
export const SMALL_QUEUE = 'q';
export const SMALL_BODIES: readonly string[] = ['first', 'second', 'third'];

/** A directory whose server has stopped in order; the definition and each message lie in a batch of their own. */
export async function smallDirectory(t: Teardown): Promise<string> {
  const { vhost, dataDir, close } = await openBroker(t);
  const declaration = {
    name: SMALL_QUEUE,
    durable: true,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  declareQueue(vhost, testActor(), declaration);
  await writeBatch(vhost);
  for (const body of SMALL_BODIES) {
    publishAll(vhost, SMALL_QUEUE, [body]);
    await writeBatch(vhost);
  }
  await close();
  return dataDir;
}

async function writeBatch(vhost: Vhost): Promise<void> {
  vhost.store.log.endTurn();
  await vhost.store.log.syncAll();
}
