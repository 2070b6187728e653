"""What pika finds again after a restart: `publish URL NAME` leaves confirmed messages in a durable queue,
`collect URL NAME` must find all of them, in order and complete."""

import sys

import pika

phase, url, queue = sys.argv[1:]
exchange = queue + "-exchange"
expected = [f"message {i} {'é' * i}".encode() for i in range(500)]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()

if phase == "publish":
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True)
    channel.exchange_declare(exchange, "topic", durable=True)
    channel.queue_bind(queue, exchange, "kept.#")
    for body in expected:
        properties = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish(exchange, "kept.message", body, properties, mandatory=True)
else:
    channel.exchange_declare(exchange, passive=True)
    found = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=2):
        if method is None:
            break
        found.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(found) == len(expected):
            break
    channel.cancel()
    if found != expected:
        raise AssertionError(f"{len(found)} of {len(expected)} messages are back, first {found[:2]}")
    count = channel.queue_declare(queue, passive=True).method.message_count
    if count != 0:
        raise AssertionError(f"{count} messages are left in the queue")
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)
connection.close()
print("done", phase)
