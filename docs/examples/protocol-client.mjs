// Publishes one message, confirmed: node docs/examples/protocol-client.mjs [PORT] [QUEUE] [TEXT]
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import * as amqp from 'firnmq/protocol';

const [port = '5672', queue = 'hello', text = 'Hello from a socket'] = process.argv.slice(2);
const replies = new EventEmitter();
const sink = {
  onFrame(_type, _channel, buf, start, end) {
    const fields = new amqp.ByteReader(buf, start + 4, end);
    const method = amqp.decodeMethod(amqp.readU32(buf, start), fields);
    replies.emit(method.name, method.args);
    return end + 1;
  },
  onBodyPiece() {},
};
const scanner = new amqp.FrameScanner(sink, 131_072);
const socket = connect(Number(port), '127.0.0.1');
socket.on('data', (chunk) => scanner.scan(chunk, 0, chunk.length));
replies.on('channel.close', ({ replyText }) => socket.destroy(new Error(replyText)));

const send = (encode, ...args) => {
  const frame = Buffer.alloc(4096);
  socket.write(frame.subarray(0, encode(frame, 0, ...args)));
};
const call = async (reply, encode, ...args) => {
  send(encode, ...args);
  return (await once(replies, reply))[0];
};
const login = { mechanism: 'PLAIN', response: amqp.encodePlain('guest', 'guest'), locale: 'en_US' };
const flags = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false };
const body = Buffer.from(text);

socket.write(amqp.PROTOCOL_HEADER);
await once(replies, 'connection.start');
const start = { clientProperties: amqp.toFieldTable({ product: 'example' }), ...login };
const limits = await call('connection.tune', amqp.encodeConnectionStartOk, 0, start);
send(amqp.encodeConnectionTuneOk, 0, { ...limits, heartbeat: 0 });
await call('connection.open-ok', amqp.encodeConnectionOpen, 0, { virtualHost: '/' });
await call('channel.open-ok', amqp.encodeChannelOpen, 1);
const declare = { queue, ...flags, arguments: amqp.EMPTY_TABLE };
await call('queue.declare-ok', amqp.encodeQueueDeclare, 1, declare);
await call('confirm.select-ok', amqp.encodeConfirmSelect, 1, { noWait: false });
const publish = { exchange: '', routingKey: queue, mandatory: false, immediate: false };
send(amqp.encodeBasicPublish, 1, publish);
send(amqp.encodeContentHeader, 1, amqp.BASIC_CLASS_ID, body.length, { deliveryMode: 2 });
await call('basic.ack', amqp.encodeBodyFrame, 1, body);
const close = { replyCode: amqp.REPLY_SUCCESS, replyText: '', classId: 0, methodId: 0 };
await call('connection.close-ok', amqp.encodeConnectionClose, 0, close);
socket.destroy();
