/**
 * What every method of the protocol leads to on channel 0, state by state. A client that sends a method where it
 * does not belong is told so, by name, and the connection ends.
 */
import { FRAME_METHOD, METHODS } from '../../generated/index.ts';
import type { ServerClose } from '../support/amqp.ts';
import {
  expectEach,
  methodsBut,
  nameOf,
  outcomeOfEach,
  payloadOf,
  sendAny,
} from '../support/any-method.ts';
import type { Broker } from '../support/broker.ts';
import type { RawClient } from '../support/raw-client.ts';
import { differs, type ScenarioBody, type ScenarioOptions, scenario } from '../support/scenario.ts';

type State = 'starting' | 'tuning' | 'opening' | 'running';

/** Brings a connection into a state. */
const REACH: Readonly<Record<State, (broker: Broker) => Promise<RawClient>>> = {
  async starting(broker) {
    const raw = await broker.raw();
    await raw.start();
    return raw;
  },
  async tuning(broker) {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    return raw;
  },
  async opening(broker) {
    const raw = await broker.raw();
    await raw.login(broker.environment);
    raw.send(0, 'connection.tune-ok');
    return raw;
  },
  running: (broker) => broker.rawConnection(),
};

function unexpectedIn(state: State, method: string): ServerClose {
  const text = `CHANNEL_ERROR - unexpected method in connection state ${state}`;
  return { code: 504, text, method };
}

/** Every method but those that belong into the state closes the connection with 504. */
function refusesAllBut(state: State, ...welcome: string[]): ScenarioBody {
  return async (t, broker) => {
    const methods = methodsBut('connection.close', ...welcome);
    const outcomes = await outcomeOfEach(broker, methods, REACH[state], (raw, method) =>
      sendAny(raw, 0, method),
    );
    const expected = expectEach(methods, (name) => unexpectedIn(state, name));
    t.same(outcomes, expected);
  };
}

/** RabbitMQ 3.10 says nothing to whoever is not logged in, or has not tuned. */
function dropsInSilence(state: State, ...welcome: string[]): ScenarioOptions {
  return differs(
    'rabbitmq',
    'RabbitMQ 3.10 drops the socket without a connection.close until the client has tuned.',
    'A client that errs is told so in every state, and learns nothing about passwords by it.',
    async (t, broker) => {
      const methods = methodsBut(...welcome);
      const outcomes = await outcomeOfEach(broker, methods, REACH[state], (raw, method) =>
        sendAny(raw, 0, method),
      );
      const expected = expectEach(methods, () => null);
      t.same(outcomes, expected);
    },
  );
}

scenario(
  'before the login every method but start-ok closes the connection with 504 [connection.states/starting]',
  dropsInSilence('starting', 'connection.start-ok'),
  refusesAllBut('starting', 'connection.start-ok'),
);

scenario(
  'before tune-ok every method but tune-ok closes the connection with 504 [connection.states/tuning]',
  dropsInSilence('tuning', 'connection.tune-ok'),
  refusesAllBut('tuning', 'connection.tune-ok'),
);

scenario(
  'before open every method but open closes the connection with 504 [connection.states/opening]',
  refusesAllBut('opening', 'connection.open'),
);

scenario(
  'on channel 0 of an open connection every method but close and update-secret closes it with 504 [connection.states/running]',
  refusesAllBut('running', 'connection.update-secret'),
);

scenario(
  'a close is answered with close-ok in every state of the handshake [connection.states/close]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 takes no connection.close before open-ok: it drops the socket, or answers 504.',
    'A client that gives up is answered, as clients wait for it.',
    async (t, broker) => {
      for (const state of ['starting', 'tuning'] as const) {
        const raw = await REACH[state](broker);
        raw.send(0, 'connection.close');
        t.equal(await raw.expectConnectionGone(), null, state);
      }
      const raw = await REACH.opening(broker);
      raw.send(0, 'connection.close');
      t.same(await raw.expectConnectionClose(), unexpectedIn('opening', 'connection.close'));
    },
  ),
  async (t, broker) => {
    for (const state of ['starting', 'tuning', 'opening'] as const) {
      const raw = await REACH[state](broker);
      raw.send(0, 'connection.close');
      t.same(await raw.expect(0, 'connection.close-ok'), {}, state);
      await raw.expectEnd();
    }
  },
);

/** Methods with arguments, other than the close that is answered in any form. */
const WITH_FIELDS = METHODS.filter(
  (method) => method.toServer && method.fields.length > 0 && method.className !== 'connection',
);

scenario(
  'a method that ends before its last field closes the connection with 501 [connection.frames/method-cut]',
  async (t, broker) => {
    const outcomes = await outcomeOfEach(
      broker,
      WITH_FIELDS,
      (b) => b.rawChannel(),
      (raw, method) => raw.sendFrame(FRAME_METHOD, 1, payloadOf(method).subarray(0, -1)),
    );
    t.same(Object.keys(outcomes), WITH_FIELDS.map(nameOf));
    for (const [method, outcome] of Object.entries(outcomes)) {
      t.match(outcome, { code: 501, text: /^FRAME_ERROR - ./, method });
    }
  },
);

scenario(
  'a method with octets behind its last field closes the connection with 501 [connection.frames/method-too-long]',
  async (t, broker) => {
    const outcomes = await outcomeOfEach(
      broker,
      WITH_FIELDS,
      (b) => b.rawChannel(),
      (raw, method) => raw.sendFrame(FRAME_METHOD, 1, Buffer.concat([payloadOf(method), ONE_MORE])),
    );
    t.same(Object.keys(outcomes), WITH_FIELDS.map(nameOf));
    for (const [method, outcome] of Object.entries(outcomes)) {
      t.match(outcome, { code: 501, text: /^FRAME_ERROR - ./, method });
    }
  },
);

const ONE_MORE = Buffer.from([0]);
