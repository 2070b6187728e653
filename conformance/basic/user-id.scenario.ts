import { expectChannelError, getOne, publish } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';
import { IMPERSONATOR } from '../support/users.ts';

scenario('user-id may name who has logged in [basic.publish/user-id]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const userId = broker.environment.username;
  await publish(channel, '', queue, 'mine', { userId });
  t.equal((await getOne(channel, queue, { noAck: true })).properties.userId, userId);
});

for (const [rule, userId] of [
  ['other', 'somebody'],
  ['empty', ''],
] as const) {
  scenario(
    `user-id with ${rule === 'other' ? 'another' : 'an empty'} name closes the channel with 406 [basic.publish/user-id-${rule}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const actual = broker.environment.username;
      const text = `PRECONDITION_FAILED - user_id property set to '${userId}' but authenticated user was '${actual}'`;
      await expectChannelError(t, channel, { code: 406, text, method: 'basic.publish' }, () =>
        publish(channel, '', 'nowhere', 'not mine', { userId }),
      );
    },
  );
}

scenario(
  'a user with the tag impersonator may name anybody [basic.publish/user-id-impersonator]',
  { needsUsers: true },
  async (t, broker) => {
    const { name: username, password } = IMPERSONATOR;
    const channel = await broker.channel({ username, password });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await publish(channel, '', queue, 'not mine', { userId: 'somebody' });
    t.equal((await getOne(channel, queue, { noAck: true })).properties.userId, 'somebody');
  },
);
