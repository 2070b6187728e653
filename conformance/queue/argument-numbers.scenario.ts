/** Numbers in arguments: equal when their values are, whatever their types. */
import { drain, publish } from '../support/amqp.ts';
import { differs, scenario } from '../support/scenario.ts';

/** A number with its type on the wire, as amqplib has it said. */
const typed = (type: string, value: number) => ({ '!': type, value });
const WIDTHS = ['int8', 'int16', 'int32', 'int64'];

scenario(
  'integers of any width are equal in the arguments of a redeclaration [queue.declare/integer-widths]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('widths');
    for (const type of WIDTHS) {
      const options = { arguments: { 'x-queue-version': typed(type, 2) } };
      t.equal((await channel.assertQueue(queue, options)).queue, queue);
    }
  },
);

scenario(
  'bindings whose numbers are equal are one, 10 and 10.0 as well [queue.bind/number-types]',
  differs(
    'rabbitmq',
    'RabbitMQ keeps a binding for each type of number.',
    'Numbers compare by their value here, in all arguments.',
    async (t, broker) => {
      const channel = await broker.channel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, 'amq.direct', queue, { n: typed('int32', 10) });
      await channel.bindQueue(queue, 'amq.direct', queue, { n: typed('double', 10) });
      await channel.unbindQueue(queue, 'amq.direct', queue, { n: typed('double', 10) });
      await publish(channel, 'amq.direct', queue, 'one');
      t.same(await drain(channel, queue), ['one']);
    },
  ),
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.direct', queue, { n: typed('int32', 10) });
    await channel.bindQueue(queue, 'amq.direct', queue, { n: typed('double', 10) });
    await channel.unbindQueue(queue, 'amq.direct', queue, { n: typed('int64', 10) });
    await publish(channel, 'amq.direct', queue, 'one');
    t.same(await drain(channel, queue), []);
  },
);
