"""The interop session with pika: python3 pika_session.py URL NAME"""

import datetime
import decimal
import sys

import pika

url, name = sys.argv[1:]
queue, exchange, key = name, name + "-exchange", "clé.ключ.鍵"

RICH_HEADERS = {
    "text": "Grüße",
    "yes": True,
    "no": False,
    "int": -42,
    "big": 2**40,
    "nothing": None,
    "bytes": b"\x00\xff\x01",
    "list": [1, "two", {"three": 3}],
    "table": {"inner": {"deep": "value"}},
    "time": datetime.datetime(2023, 11, 14, 22, 13, 20),
    "decimal": decimal.Decimal("3.14"),
}
MESSAGES = [
    (b"plain", {}),
    ("Grüße, 世界 🐇".encode(), {"ключ 🗝": "значение"}),
    (b"", RICH_HEADERS),
    (b"abcdefg" * 149797, {}),
]


def done(step):
    print("done", step, flush=True)


def publish(channel, body, headers):
    properties = pika.BasicProperties(headers=headers, delivery_mode=2)
    channel.basic_publish(exchange, key, body, properties, mandatory=True)


def check_equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {str(found)[:500]}, expected {str(expected)[:500]}")


connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()

channel.queue_declare(queue, durable=True)
channel.exchange_declare(exchange, "direct", durable=True)
channel.queue_bind(queue, exchange, key)
done("declare")

for body, headers in MESSAGES:
    publish(channel, body, headers)  # raises unless confirmed
check_equal(channel.queue_declare(queue, passive=True).method.message_count, len(MESSAGES))
done("confirm")

received = []
channel.basic_qos(prefetch_count=2)
for method, properties, body in channel.consume(queue):
    received.append((body, properties.headers or {}))
    channel.basic_ack(method.delivery_tag)
    if len(received) == len(MESSAGES):
        break
channel.cancel()
check_equal(received, MESSAGES)
done("consume")

publish(channel, *MESSAGES[0])
method, properties, body = channel.basic_get(queue)
channel.basic_ack(method.delivery_tag)
check_equal((body, properties.headers or {}), MESSAGES[0])
check_equal(channel.basic_get(queue), (None, None, None))
done("get")

try:
    channel.basic_publish(exchange, "nowhere", b"lost", mandatory=True)
    raise AssertionError("nothing was returned")
except pika.exceptions.UnroutableError as error:
    check_equal([returned.method.reply_code for returned in error.messages], [312])
done("return")

check_equal(channel.queue_declare(queue, passive=True).method.message_count, 0)
channel.queue_delete(queue)
channel.exchange_delete(exchange)
connection.close()
done("close")
