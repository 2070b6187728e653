/** The smallest data directory that has messages: for tests that damage every byte of it. */
import { EMPTY_TABLE } from '../../generated/index.ts';
import { declareQueue } from '../broker/queues.ts';
import { openBroker, publishAll, testActor } from './open-broker.ts';
import type { Teardown } from './temporary-directory.ts';

/** The queue in it, and the bodies of its messages in order. */
export const SMALL_QUEUE = 'q';
export const SMALL_BODIES: readonly string[] = ['first', 'second', 'third'];

/** A directory whose server has stopped in order; three batches hold the messages. */
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
  for (const body of SMALL_BODIES) {
    publishAll(vhost, SMALL_QUEUE, [body]);
    vhost.store.log.endTurn();
    await vhost.store.log.syncAll();
  }
  await close();
  return dataDir;
}
