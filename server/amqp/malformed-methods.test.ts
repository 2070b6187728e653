/**
 * Every method that a client may send, malformed in every way that its fields allow, and in every state in which it has
 * no business: the connection is told so by the protocol's own code, with the method to blame. The methods come from
 * the metadata, so one that the protocol gains is tested as well.
 */
import t from 'tap';
import {
  type FieldInfo,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  METHODS,
  type MethodInfo,
  PROTOCOL_HEADER,
} from '../../generated/index.ts';
import {
  anyFrame,
  basicConsume,
  channelOpen,
  connectionOpen,
  connectionStartOk,
  connectionTuneOk,
  publish,
  queueDeclare,
} from '../testing/client-frames.ts';
import { RawClient } from '../testing/raw-client.ts';
import { type RunningAmqp, startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

const HANDSHAKE = [PROTOCOL_HEADER, connectionStartOk(), connectionTuneOk(), connectionOpen()];
const HANDSHAKE_ANSWERS = ['connection.start', 'connection.tune', 'connection.open-ok'] as const;
const STATES = ['starting', 'tuning', 'opening', 'running'];

const toServer = METHODS.filter((method) => method.toServer);
const ofChannels = toServer.filter(({ className }) => className !== 'connection');
const ofConnections = toServer.filter(({ className }) => className === 'connection');

/** Octets of a field that is right and empty. */
function emptyField({ type }: FieldInfo): Buffer {
  const size = { octet: 1, short: 2, long: 4, longlong: 8, timestamp: 8, shortstr: 1 }[
    type as string
  ];
  return Buffer.alloc(size ?? 4);
}

/** A method's payload, each field empty or as `values` says; side by side bits share an octet. */
function payloadOf({ id, fields }: MethodInfo, values: ReadonlyMap<FieldInfo, Buffer>): Buffer {
  const ids = Buffer.alloc(4);
  ids.writeUInt32BE(id);
  const parts: Buffer[] = [ids];
  fields.forEach((field, i) => {
    if (field.type !== 'bit') parts.push(values.get(field) ?? emptyField(field));
    else if (fields[i - 1]?.type !== 'bit') parts.push(Buffer.alloc(1));
  });
  return Buffer.concat(parts);
}

function emptyPayload(method: MethodInfo): Buffer {
  return payloadOf(method, new Map());
}

/** How the server closes a connection that has come so far and then sends this frame. */
async function answerTo(server: RunningAmqp, before: readonly Buffer[], frame: Buffer) {
  const undo: (() => unknown)[] = [];
  const test: Teardown = { teardown: (step) => undo.push(step) };
  const client = await RawClient.connect(test, server.port);
  client.write(...before, frame);
  let answer = await client.next();
  while (!answer.name.endsWith('.close')) answer = await client.next();
  for (const step of undo) step();
  const { replyCode, replyText, classId, methodId } = answer.args as {
    replyCode: number;
    replyText: string;
    classId: number;
    methodId: number;
  };
  return { name: answer.name, replyCode, replyText, blamed: classId * 65_536 + methodId };
}

function nameOf({ className, methodName }: MethodInfo): string {
  return `${className}.${methodName}`;
}

/** A client that publishes to itself, and must not notice what others send. */
async function startWitness(t: Teardown, server: RunningAmqp) {
  const client = await RawClient.open(t, server.port);
  client.write(
    channelOpen(1),
    queueDeclare(1, { queue: 'witness' }),
    basicConsume(1, { noAck: true }),
  );
  await client.expect(1, 'channel.open-ok');
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.consume-ok');
  return {
    async isWell() {
      client.write(publish(1, 'witness', 'still here'));
      const [delivery] = await client.expectDeliveries(1, 1);
      return delivery?.body === 'still here' && !delivery.redelivered;
    },
  };
}

const ONE_CHANNEL = [...HANDSHAKE, channelOpen(1)];

t.test('a method that is cut short, or too long, closes the connection with 501', async (t) => {
  const server = await startAmqp(t);
  const witness = await startWitness(t, server);
  for (const method of ofChannels) {
    const whole = emptyPayload(method);
    // A channel.close-ok that nobody asked for is refused unread.
    if (nameOf(method) === 'channel.close-ok') continue;
    const lengths = Array.from({ length: whole.length }, (_, length) => length);
    const wrong = [
      ...lengths.map((length) => whole.subarray(0, length)),
      Buffer.concat([whole, Buffer.from([0])]),
    ];
    for (const payload of wrong) {
      const answer = await answerTo(server, ONE_CHANNEL, anyFrame(FRAME_METHOD, 1, payload));
      const blamed = payload.length < 4 ? 0 : method.id;
      const what = `${nameOf(method)} of ${payload.length} octets instead of ${whole.length}`;
      t.match(answer, { name: 'connection.close', replyCode: 501, blamed }, what);
    }
  }
  t.ok(await witness.isWell());
});

t.test('a short string that is no UTF-8 closes the connection with 501', async (t) => {
  const server = await startAmqp(t);
  const bad = Buffer.from([3, 0x61, 0xff, 0x62]);
  let count = 0;
  for (const method of ofChannels) {
    for (const field of method.fields) {
      if (field.type !== 'shortstr' || field.reserved || nameOf(method) === 'basic.publish')
        continue;
      const frame = anyFrame(FRAME_METHOD, 1, payloadOf(method, new Map([[field, bad]])));
      t.match(
        await answerTo(server, ONE_CHANNEL, frame),
        {
          replyCode: 501,
          replyText: 'FRAME_ERROR - Malformed UTF-8 in shortstr',
          blamed: method.id,
        },
        `${nameOf(method)} ${field.name}`,
      );
      count++;
    }
  }
  t.ok(count > 20, `${count} fields`);
});

/** Tables that are none, with the code that answers them. */
const BAD_TABLES: readonly (readonly [string, Buffer, number])[] = [
  ['cut before its value', Buffer.from([0, 0, 0, 2, 1, 0x61]), 501],
  ['longer than what holds it', Buffer.from([0x7f, 0xff, 0xff, 0xff]), 501],
  ['with an unknown type', Buffer.from([0, 0, 0, 3, 1, 0x61, 0x3f]), 502],
  ['with a key that is no UTF-8', Buffer.from([0, 0, 0, 4, 1, 0xff, 0x74, 0x01]), 501],
  ['with a string that passes its end', Buffer.from([0, 0, 0, 7, 1, 0x61, 0x53, 0, 0, 0, 9]), 501],
  ['nested too deep', nested(65), 502],
];

function nested(depth: number): Buffer {
  let inner: Buffer = Buffer.alloc(4);
  for (let i = 1; i < depth; i++) {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(inner.length + 3);
    inner = Buffer.concat([size, Buffer.from([1, 0x61, 0x46]), inner]);
  }
  return inner;
}

t.test('a table that is none closes the connection with 501 or 502', async (t) => {
  const server = await startAmqp(t);
  const witness = await startWitness(t, server);
  let count = 0;
  for (const method of ofChannels) {
    const field = method.fields.find(({ type }) => type === 'table');
    if (field === undefined) continue;
    for (const [what, bytes, replyCode] of BAD_TABLES) {
      const frame = anyFrame(FRAME_METHOD, 1, payloadOf(method, new Map([[field, bytes]])));
      const answer = await answerTo(server, ONE_CHANNEL, frame);
      t.match(
        answer,
        { name: 'connection.close', replyCode, blamed: method.id },
        `${nameOf(method)} ${what}`,
      );
      count++;
    }
  }
  t.ok(count >= 6 * BAD_TABLES.length, `${count} tables`);
  t.ok(await witness.isWell());
});

t.test('headers of a message that are none close the connection with 501 or 502', async (t) => {
  const server = await startAmqp(t);
  const publishFrame = publish(1, 'nowhere').subarray(0, -22);
  t.equal(publishFrame.readUInt32BE(3) + FRAME_HEADER_SIZE + 1, publishFrame.length);
  for (const [what, bytes, replyCode] of BAD_TABLES) {
    const fixed = Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]);
    const header = anyFrame(2, 1, Buffer.concat([fixed, bytes]));
    const answer = await answerTo(server, [...ONE_CHANNEL, publishFrame], header);
    t.match(answer, { name: 'connection.close', replyCode }, what);
  }
});

t.test('a method that no server takes, or that nobody knows, closes with 503', async (t) => {
  const server = await startAmqp(t);
  const unknown = [
    ...METHODS.filter((method) => !method.toServer && method.className !== 'connection'),
    ...[0, 0x003c_03e7, 0x7fff_0001, 0xffff_ffff].map((id) => ({ id, fields: [] })),
  ];
  for (const { id } of unknown) {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(id);
    const answer = await answerTo(server, ONE_CHANNEL, anyFrame(FRAME_METHOD, 1, payload));
    t.match(answer, { name: 'connection.close', replyCode: 503, blamed: id }, `method ${id}`);
  }
});

t.test('a method on a channel that was never opened closes with 504', async (t) => {
  const server = await startAmqp(t);
  const silent = ['channel.open', 'channel.close-ok'];
  for (const method of ofChannels) {
    if (silent.includes(nameOf(method))) continue;
    const frame = anyFrame(FRAME_METHOD, 7, emptyPayload(method));
    t.match(
      await answerTo(server, ONE_CHANNEL, frame),
      {
        name: 'connection.close',
        replyCode: 504,
        replyText: "CHANNEL_ERROR - expected 'channel.open'",
        blamed: method.id,
      },
      nameOf(method),
    );
  }
});

t.test('a method of the connection on a channel closes with 503', async (t) => {
  const server = await startAmqp(t);
  for (const method of ofConnections) {
    const answer = await answerTo(
      server,
      ONE_CHANNEL,
      anyFrame(FRAME_METHOD, 1, emptyPayload(method)),
    );
    t.match(
      answer,
      { name: 'connection.close', replyCode: 503, blamed: method.id },
      nameOf(method),
    );
  }
});

t.test('a method of a channel on channel 0 closes with 504 in every state', async (t) => {
  const server = await startAmqp(t);
  for (const [i, state] of STATES.entries()) {
    for (const method of ofChannels) {
      const frame = anyFrame(FRAME_METHOD, 0, emptyPayload(method));
      t.match(
        await answerTo(server, HANDSHAKE.slice(0, i + 1), frame),
        {
          name: 'connection.close',
          replyCode: 504,
          replyText: `CHANNEL_ERROR - unexpected method in connection state ${state}`,
          blamed: method.id,
        },
        `${nameOf(method)} while ${state}`,
      );
    }
  }
});

t.test('any method on a channel before the connection is open closes with 505', async (t) => {
  const server = await startAmqp(t);
  const witness = await startWitness(t, server);
  for (const [i] of HANDSHAKE_ANSWERS.entries()) {
    for (const method of ofChannels) {
      const frame = anyFrame(FRAME_METHOD, 1, emptyPayload(method));
      const answer = await answerTo(server, HANDSHAKE.slice(0, i + 1), frame);
      t.match(answer, { name: 'connection.close', replyCode: 505, blamed: 0 }, nameOf(method));
    }
  }
  t.ok(await witness.isWell());
});
