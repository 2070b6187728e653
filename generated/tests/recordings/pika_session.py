"""The session that record.mjs records with pika; prints pika's version."""
import datetime
import decimal
import sys

import pika

parameters = pika.ConnectionParameters(
    host="127.0.0.1",
    port=int(sys.argv[1]),
    heartbeat=9,
    client_properties={"connection_name": "recorded äöü"},
)
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.basic_qos(prefetch_count=50)
channel.exchange_declare("recorded.pika", "direct", auto_delete=True, arguments={"x-note": "é"})
channel.exchange_declare("recorded.pika.inner", "fanout", internal=True)
channel.exchange_bind("recorded.pika.inner", "recorded.pika", "key")
queue = channel.queue_declare("", exclusive=True, arguments={"x-max-length": 10, "x-expires": 2**33}).method.queue
channel.queue_bind(queue, "recorded.pika", "key", arguments={"a": 1})
channel.queue_declare(queue, passive=True)
properties = pika.BasicProperties(
    content_type="text/plain",
    content_encoding="utf-8",
    headers={
        "text": "äöü",
        "bytes": b"\x00\x01\xff",
        "yes": True,
        "no": False,
        "small": 5,
        "negative": -5,
        "big": 2**40,
        "price": decimal.Decimal("19.99"),
        "when": datetime.datetime(2024, 1, 2, 3, 4, 5),
        "nothing": None,
        "list": ["x", 1, [True, None], {"deep": 1}],
        "nested": {"inner": {"innermost": "1"}},
    },
    delivery_mode=2,
    priority=4,
    correlation_id="c-1",
    reply_to="answers",
    expiration="60000",
    message_id="m-1",
    timestamp=1700000000,
    type="greeting",
    user_id="guest",
    app_id="recorder",
    cluster_id="",
)
channel.confirm_delivery()
channel.basic_publish("recorded.pika", "key", b"first", properties)
channel.basic_publish("recorded.pika", "key", b"")
channel.basic_publish("recorded.pika", "key", b"z" * 300, pika.BasicProperties(delivery_mode=1))
try:
    channel.basic_publish("", "no such queue", b"returned", mandatory=True)
except pika.exceptions.UnroutableError:
    pass
deliveries = []
tag = channel.basic_consume(queue, lambda *delivery: deliveries.append(delivery))
while len(deliveries) < 3:
    connection.process_data_events(time_limit=1)
channel.basic_ack(deliveries[0][1].delivery_tag)
channel.basic_nack(deliveries[1][1].delivery_tag, requeue=True)
while len(deliveries) < 4:
    connection.process_data_events(time_limit=1)
channel.basic_reject(deliveries[2][1].delivery_tag, requeue=False)
channel.basic_ack(0, multiple=True)
channel.basic_cancel(tag)
channel.basic_publish("", queue, b"to get")
channel.basic_get(queue, auto_ack=True)
channel.basic_get(queue, auto_ack=True)
channel.basic_recover(requeue=True)
channel.queue_purge(queue)
channel.queue_unbind(queue, "recorded.pika", "key", {"a": 1})
channel.exchange_unbind("recorded.pika.inner", "recorded.pika", "key")
channel.queue_delete(queue)
channel.exchange_delete("recorded.pika.inner")
channel.close()
channel = connection.channel()
channel.tx_select()
channel.tx_commit()
channel.tx_rollback()
try:
    channel.queue_declare("no such queue", passive=True)
except pika.exceptions.ChannelClosedByBroker:
    pass

connection.close()
print(pika.__version__)
