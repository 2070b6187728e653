import t from 'tap';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { StandInBroker } from '../testing/stand-in-broker.ts';
import { LargeBody } from './large-body.ts';

t.test('a large body that comes back changed, or of another size, fails', async (t) => {
  // The stand-in keeps nothing: what it delivers is all zero.
  const broker = await StandInBroker.start(300_000);
  t.teardown(() => broker.stop());
  const open = async (sizeBytes: number): Promise<LargeBody> => {
    const connection = await BenchConnection.open(parseAmqpUri(broker.uri), 'large');
    t.teardown(() => connection.close());
    return LargeBody.open(connection, 'q', sizeBytes);
  };
  const same = await open(300_000);
  await same.publish();
  t.equal(broker.queue.published, 1);
  await t.rejects(same.consume(), { message: 'the body differs between octets 1000 and 2000' });
  const other = await open(300_001);
  await other.publish();
  await t.rejects(other.consume(), {
    message: 'the body came with 300000 octets instead of 300001',
  });
});
