// Runs docs/examples/protocol-client.mjs against a server that knows its lines and nothing else.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import {
  type AnyMethod,
  BASIC_ACK_ID,
  type BasicProperties,
  ByteReader,
  CHANNEL_OPEN_OK_ID,
  CONFIRM_SELECT_OK_ID,
  CONNECTION_CLOSE_OK_ID,
  CONNECTION_OPEN_OK_ID,
  CONNECTION_START_ID,
  CONNECTION_TUNE_ID,
  decodeBasicProperties,
  decodeMethod,
  EMPTY_TABLE,
  FRAME_BODY,
  FRAME_HEADER,
  FrameScanner,
  PROTOCOL_HEADER,
  parsePlain,
  QUEUE_DECLARE_OK_ID,
  readU32,
} from '../index.ts';
import { encodedMethod } from './arbitraries.ts';

const EXAMPLE = fileURLToPath(
  new URL('../../../docs/examples/protocol-client.mjs', import.meta.url),
);

/** What the server answers; the start goes out for the protocol header, the ack for the body. */
const START: AnyMethod = {
  id: CONNECTION_START_ID,
  name: 'connection.start',
  args: {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: EMPTY_TABLE,
    mechanisms: Buffer.from('PLAIN'),
    locales: Buffer.from('en_US'),
  },
};
const ACK: AnyMethod = {
  id: BASIC_ACK_ID,
  name: 'basic.ack',
  args: { deliveryTag: 1, multiple: false },
};
const ANSWERS: Readonly<Record<string, AnyMethod>> = {
  'connection.start-ok': {
    id: CONNECTION_TUNE_ID,
    name: 'connection.tune',
    args: { channelMax: 9, frameMax: 8192, heartbeat: 60 },
  },
  'connection.open': { id: CONNECTION_OPEN_OK_ID, name: 'connection.open-ok', args: {} },
  'channel.open': { id: CHANNEL_OPEN_OK_ID, name: 'channel.open-ok', args: {} },
  'queue.declare': {
    id: QUEUE_DECLARE_OK_ID,
    name: 'queue.declare-ok',
    args: { queue: 'greetings', messageCount: 0, consumerCount: 0 },
  },
  'confirm.select': { id: CONFIRM_SELECT_OK_ID, name: 'confirm.select-ok', args: {} },
  'connection.close': { id: CONNECTION_CLOSE_OK_ID, name: 'connection.close-ok', args: {} },
};

class ScriptedServer {
  readonly methods: AnyMethod[] = [];
  readonly properties: BasicProperties[] = [];
  /** One character per octet. */
  body = '';
  header = '';
  private readonly server: Server = createServer((socket) => this.serve(socket));

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
  }

  private serve(socket: Socket): void {
    const send = (method: AnyMethod, channel: number): void => {
      socket.write(encodedMethod(channel, method));
    };
    const scanner = new FrameScanner(
      {
        onFrame: (type, channel, buf, start, end) => {
          if (type === FRAME_BODY) {
            this.body += buf.toString('latin1', start, end);
            send(ACK, channel);
          } else if (type === FRAME_HEADER) {
            this.properties.push(decodeBasicProperties(new ByteReader(buf, start + 12, end)));
          } else {
            const method = decodeMethod(readU32(buf, start), new ByteReader(buf, start + 4, end));
            if (method === null) throw new Error('unknown method');
            // Long strings are borrowed from the buffer.
            this.methods.push(structuredClone(method));
            const answer = ANSWERS[method.name];
            if (answer !== undefined) send(answer, channel);
          }
          return end + 1;
        },
        onBodyPiece: (channel, buf, start, end, left) => {
          this.body += buf.toString('latin1', start, end);
          if (left === 0) send(ACK, channel);
        },
      },
      8192,
    );
    socket.once('data', (chunk: Buffer) => {
      this.header = chunk.toString('hex', 0, PROTOCOL_HEADER.length);
      send(START, 0);
      socket.on('data', (more: Buffer) => scanner.scan(more, 0, more.length));
    });
  }
}

t.test('the example client logs in, publishes its message and says good-bye', async (t) => {
  const server = new ScriptedServer();
  const port = await server.listen();
  t.teardown(() => server.close());
  await promisify(execFile)(process.execPath, [EXAMPLE, String(port), 'greetings', 'hällo']);
  t.equal(server.header, PROTOCOL_HEADER.toString('hex'));
  t.same(
    server.methods.map(({ name }) => name),
    [
      'connection.start-ok',
      'connection.tune-ok',
      'connection.open',
      'channel.open',
      'queue.declare',
      'confirm.select',
      'basic.publish',
      'connection.close',
    ],
  );
  const [startOk, tuneOk, , , , , publish] = server.methods;
  const response =
    startOk?.name === 'connection.start-ok' ? startOk.args.response : Buffer.alloc(0);
  t.same(parsePlain(Buffer.from(response)), { username: 'guest', password: 'guest' });
  t.match(tuneOk?.args, { channelMax: 9, frameMax: 8192, heartbeat: 0 });
  t.match(publish?.args, { exchange: '', routingKey: 'greetings' });
  t.same(server.properties, [{ deliveryMode: 2 }]);
  t.equal(Buffer.from(server.body, 'latin1').toString(), 'hällo');
});
