/** Logins and what is tuned, over a socket: each answer of a client, and what the server makes of it. */
import assert from 'node:assert/strict';
import t from 'tap';
import { encodePlain, PROTOCOL_HEADER, toFieldTable } from '../../generated/index.ts';
import {
  channelOpen,
  connectionClose,
  connectionOpen,
  connectionStartOk,
  connectionTuneOk,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { requireTuneWithin } from './handshake.ts';

const OFFER = { channelMax: 2047, frameMax: 131_072, heartbeat: 60 };

t.test('what a client may tune is bounded by the offer, and frames from below', async (t) => {
  const fine = [
    {},
    { channelMax: 1 },
    { frameMax: 4096 },
    { frameMax: 131_072 },
    { heartbeat: 0 },
    { heartbeat: 65_535 },
  ];
  for (const answer of fine)
    t.doesNotThrow(() => requireTuneWithin(OFFER, { ...OFFER, ...answer }));
  const refused = [
    [{ frameMax: 4095 }, 'frame_max = 4095 is lower than the minimum allowed value (4096)'],
    [{ frameMax: 131_073 }, 'frame_max = 131073 is higher than the maximum allowed value (131072)'],
    [{ frameMax: 0 }, 'frame_max = 0 is higher than the maximum allowed value (131072)'],
    [{ channelMax: 2048 }, 'channel_max = 2048 is higher than the maximum allowed value (2047)'],
    [
      { channelMax: 0 },
      'channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
    ],
  ] as const;
  for (const [answer, text] of refused) {
    t.throws(() => requireTuneWithin(OFFER, { ...OFFER, ...answer }), {
      replyCode: 530,
      message: `negotiated ${text}`,
    });
  }
  const unlimited = { channelMax: 0, frameMax: 0, heartbeat: 0 };
  t.doesNotThrow(() => requireTuneWithin(unlimited, unlimited));
});

async function startHandshake(t: Teardown) {
  const server = await startAmqp(t);
  const client = await RawClient.connect(t, server.port);
  client.write(PROTOCOL_HEADER);
  const { args } = await client.expect(0, 'connection.start');
  return { client, offered: args };
}

t.test('the protocol header may come octet by octet, with all behind it', async (t) => {
  const server = await startAmqp(t);
  const client = await RawClient.connect(t, server.port);
  const bytes = Buffer.concat([
    PROTOCOL_HEADER,
    connectionStartOk(),
    connectionTuneOk(),
    connectionOpen(),
    channelOpen(1),
  ]);
  for (const octet of bytes) await client.writeAll(Buffer.from([octet]));
  await client.expect(0, 'connection.start');
  await client.expect(0, 'connection.tune');
  await client.expect(0, 'connection.open-ok');
  await client.expect(1, 'channel.open-ok');
});

t.test('a response that is none of its mechanism closes with 502', async (t) => {
  for (const [mechanism, response] of [
    ['PLAIN', 'nonsense'],
    ['AMQPLAIN', ''],
  ] as const) {
    const { client, offered } = await startHandshake(t);
    t.equal(offered.mechanisms.toString(), 'PLAIN AMQPLAIN');
    client.write(connectionStartOk({ mechanism, response: Buffer.from(response) }));
    t.equal((await client.expect(0, 'connection.close')).args.replyCode, 502);
  }
});

t.test('a wrong password is told to a client that can be told', async (t) => {
  const { client } = await startHandshake(t);
  const clientProperties = toFieldTable({ capabilities: { authentication_failure_close: true } });
  client.write(connectionStartOk({ response: encodePlain('guest', 'wrong'), clientProperties }));
  t.equal((await client.expect(0, 'connection.close')).args.replyCode, 403);
});

t.test('what comes out of its turn is refused by the name of the step', async (t) => {
  const { client } = await startHandshake(t);
  client.write(connectionTuneOk());
  t.match((await client.expect(0, 'connection.close')).args, {
    replyCode: 504,
    replyText: 'CHANNEL_ERROR - unexpected method in connection state starting',
  });
});

t.test(
  'past the limit of connections one more is refused, until another one has gone',
  async (t) => {
    const server = await startAmqp(t, { config: { connectionsMax: 1 } });
    const connect = async () => {
      const client = await RawClient.connect(t, server.port);
      client.write(Buffer.concat([PROTOCOL_HEADER, connectionStartOk(), connectionTuneOk()]));
      client.write(connectionOpen());
      await client.expect(0, 'connection.start');
      await client.expect(0, 'connection.tune');
      return client;
    };
    const untilConnectionsAre = (count: number) =>
      eventually(() => assert.equal(server.listener.connectionCount, count));
    const first = await connect();
    await first.expect(0, 'connection.open-ok');
    for (let attempt = 0; attempt < 2; attempt++) {
      const refused = await connect();
      t.match((await refused.expect(0, 'connection.close')).args, {
        replyCode: 530,
        replyText: 'NOT_ALLOWED - connection refused: node connection limit (1) is reached',
      });
      refused.destroy();
      await untilConnectionsAre(1);
    }
    first.destroy();
    await untilConnectionsAre(0);
    const second = await connect();
    await second.expect(0, 'connection.open-ok');
    second.write(connectionClose());
    await second.expect(0, 'connection.close-ok');
    const third = await connect();
    await third.expect(0, 'connection.open-ok');
    third.write(channelOpen(0));
    await third.expect(0, 'connection.close');
    await (await connect()).expect(0, 'connection.open-ok');
  },
);
