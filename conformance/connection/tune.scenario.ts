import { differs, type ScenarioBody, scenario } from '../support/scenario.ts';

scenario(
  'the server offers 2047 channels, frames of 131072 octets and heartbeats every 60 s [connection.tune/offer]',
  async (t, broker) => {
    const raw = await broker.raw();
    const tune = await raw.login(broker.environment);
    t.same(tune, { channelMax: 2047, frameMax: 131_072, heartbeat: 60 });
  },
);

scenario('the client may take less of everything [connection.tune/less]', async (t, broker) => {
  const raw = await broker.rawConnection({ channelMax: 1, frameMax: 4096, heartbeat: 0 });
  await raw.openChannel(1);
  t.match(await raw.declareQueue(1), /^amq\.gen-/);
});

scenario(
  'the client may ask for rarer heartbeats than the server offers [connection.tune/rarer-heartbeats]',
  async (t, broker) => {
    const raw = await broker.rawConnection({ heartbeat: 600 });
    await raw.openChannel(1);
    t.match(await raw.declareQueue(1), /^amq\.gen-/);
  },
);

const REFUSED = [
  [
    'frame-max-too-low',
    'a frame-max below 4096',
    { frameMax: 4095 },
    'negotiated frame_max = 4095 is lower than the minimum allowed value (4096)',
  ],
  [
    'frame-max-too-high',
    'a frame-max above the offer',
    { frameMax: 131_073 },
    'negotiated frame_max = 131073 is higher than the maximum allowed value (131072)',
  ],
  [
    'frame-max-no-limit',
    'an unlimited frame-max where the offer is limited',
    { frameMax: 0 },
    'negotiated frame_max = 0 is higher than the maximum allowed value (131072)',
  ],
  [
    'channel-max-too-high',
    'a channel-max above the offer',
    { channelMax: 2048 },
    'negotiated channel_max = 2048 is higher than the maximum allowed value (2047)',
  ],
  [
    'channel-max-no-limit',
    'an unlimited channel-max where the offer is limited',
    { channelMax: 0 },
    'negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
  ],
] as const;

for (const [rule, what, tuneOk, text] of REFUSED) {
  const dropped: ScenarioBody = async (t, broker) => {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(0, 'connection.tune-ok', tuneOk);
    t.equal(await raw.expectConnectionGone(), null);
  };
  scenario(
    `${what} closes the connection with 530 [connection.tune/${rule}]`,
    differs(
      'rabbitmq',
      'RabbitMQ 3.10 drops the socket without a connection.close.',
      'Its source means to send 530, later versions do, and the client learns why.',
      dropped,
    ),
    async (t, broker) => {
      const raw = await broker.raw();
      await raw.login(broker.environment);
      raw.send(0, 'connection.tune-ok', tuneOk);
      t.same(await raw.expectConnectionClose(), {
        code: 530,
        text: `NOT_ALLOWED - ${text}`,
        method: 'connection.tune',
      });
    },
  );
}
