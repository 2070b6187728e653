// Publishes one message into a queue and waits for its confirm, with nothing but a socket:
//     node docs/examples/protocol-client.mjs [PORT] [QUEUE] [TEXT]
import { connect } from 'node:net';
import * as amqp from 'firnmq/protocol';

const [port = '5672', queue = 'hello', text = 'Hello from a socket'] = process.argv.slice(2);
const socket = connect(Number(port), '127.0.0.1', () => socket.write(amqp.PROTOCOL_HEADER));
const send = (encode, ...args) => {
  const frame = Buffer.alloc(4096);
  socket.write(frame.subarray(0, encode(frame, 0, ...args)));
};

const login = { mechanism: 'PLAIN', response: amqp.encodePlain('guest', 'guest'), locale: 'en_US' };
const flags = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false };
const publish = { exchange: '', routingKey: queue, mandatory: true, immediate: false };
const farewell = { replyCode: amqp.REPLY_SUCCESS, replyText: 'bye', classId: 0, methodId: 0 };
const on = {
  'connection.start': () =>
    send(amqp.encodeConnectionStartOk, 0, { clientProperties: new Map(), ...login }),
  'connection.tune': (limits) => {
    send(amqp.encodeConnectionTuneOk, 0, { ...limits, heartbeat: 0 });
    send(amqp.encodeConnectionOpen, 0, { virtualHost: '/' });
  },
  'connection.open-ok': () => send(amqp.encodeChannelOpen, 1),
  'channel.open-ok': () =>
    send(amqp.encodeQueueDeclare, 1, { queue, ...flags, arguments: new Map() }),
  'queue.declare-ok': () => send(amqp.encodeConfirmSelect, 1, { noWait: false }),
  'confirm.select-ok': () => {
    const body = Buffer.from(text);
    send(amqp.encodeBasicPublish, 1, publish);
    send(amqp.encodeContentHeader, 1, amqp.BASIC_CLASS_ID, body.length, { deliveryMode: 2 });
    send(amqp.encodeBodyFrame, 1, body);
  },
  'basic.ack': () => send(amqp.encodeConnectionClose, 0, farewell),
  'connection.close-ok': () => socket.end(() => console.log('confirmed')),
};

const scanner = new amqp.FrameScanner(
  {
    onFrame(type, _channel, buf, start, end) {
      const arguments_ = new amqp.ByteReader(buf, start + 4, end);
      const method =
        type === amqp.FRAME_METHOD && amqp.decodeMethod(amqp.readU32(buf, start), arguments_);
      if (method)
        (on[method.name] ?? (() => socket.destroy(new Error(method.args.replyText))))(method.args);
      return end + 1;
    },
    onBodyPiece() {},
  },
  131_072,
);
socket.on('data', (chunk) => scanner.scan(chunk, 0, chunk.length));
