/**
 * What every method of the protocol leads to on a channel, state by state: never opened, closed, open, in the middle
 * of a content, closed by the server.
 */
import { METHODS, type MethodInfo } from '../../generated/index.ts';
import type { ServerClose } from '../support/amqp.ts';
import { expectEach, methodsBut, nameOf, outcomeOfEach, sendAny } from '../support/any-method.ts';
import type { Broker } from '../support/broker.ts';
import type { RawClient } from '../support/raw-client.ts';
import { noExchange } from '../support/replies.ts';
import { type ScenarioBody, scenario } from '../support/scenario.ts';

const PUBLISH = 'basic.publish';

function unopened(method: string): ServerClose {
  return { code: 504, text: "CHANNEL_ERROR - expected 'channel.open'", method };
}

/** Each method on channel 1 of a connection that `open` has prepared closes the connection as told. */
function closesWith(
  methods: readonly MethodInfo[],
  open: (broker: Broker) => Promise<RawClient>,
  close: (method: string) => ServerClose,
): ScenarioBody {
  return async (t, broker) => {
    const outcomes = await outcomeOfEach(broker, methods, open, (raw, method) => {
      sendAny(raw, 1, method);
      if (method.content) raw.sendHeader(1, 0);
    });
    const expected = expectEach(methods, close);
    t.same(outcomes, expected);
  };
}

scenario(
  'every method but open on a channel that was never opened closes the connection with 504 [channel.states/unopened]',
  closesWith(methodsBut('channel.open'), (broker) => broker.rawConnection(), unopened),
);

scenario(
  'every method but open on a channel that has been closed closes the connection with 504 [channel.states/closed]',
  closesWith(
    methodsBut('channel.open'),
    async (broker) => {
      const raw = await broker.rawChannel();
      await raw.closeChannel(1);
      return raw;
    },
    unopened,
  ),
);

/** Methods that a client may send, but not on a channel, or only in answer to something. */
const OUT_OF_PLACE = ['channel.flow-ok', 'channel.close-ok'];

/** What only a server sends, what belongs on channel 0, and answers to nothing. */
const NOT_FOR_CHANNELS = METHODS.filter(
  (method) =>
    !method.toServer || method.className === 'connection' || OUT_OF_PLACE.includes(nameOf(method)),
);

scenario(
  'a method that only a server sends, one of the connection and an answer to nothing close the connection with 503 [channel.states/unimplemented]',
  closesWith(
    NOT_FOR_CHANNELS,
    (broker) => broker.rawChannel(),
    (method) => ({ code: 503, text: 'COMMAND_INVALID - unimplemented method', method }),
  ),
);

scenario(
  'every method where a content header is expected closes the connection with 505 [channel.states/before-header]',
  closesWith(
    METHODS,
    async (broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, PUBLISH, { routingKey: 'any' });
      return raw;
    },
    () => ({
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      method: PUBLISH,
    }),
  ),
);

scenario(
  'every method where a body is expected closes the connection with 505 [channel.states/before-body]',
  closesWith(
    METHODS,
    async (broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, PUBLISH, { routingKey: 'any' });
      raw.sendHeader(1, 10);
      raw.sendBody(1, Buffer.from('half'));
      return raw;
    },
    () => ({
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
      method: PUBLISH,
    }),
  ),
);

scenario(
  'every method on a channel that the server has closed is ignored until close-ok [channel.states/closing]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, PUBLISH, { exchange: 'missing' });
    raw.sendHeader(1, 0);
    // An open is another matter: RabbitMQ takes one that comes too early for a second one.
    for (const method of methodsBut('channel.open', 'channel.close', 'channel.close-ok')) {
      sendAny(raw, 1, method);
      if (method.content) raw.sendHeader(1, 0);
    }
    t.same(await raw.expectChannelClose(1), noExchange('missing', PUBLISH));
    await raw.openChannel(1);
    t.match(await raw.declareQueue(1), /^amq\.gen-/);
    t.same(raw.untaken, []);
  },
);
