"""The interop session with kombu on py-amqp, as Celery uses them: python3 kombu_session.py URL NAME"""

import decimal
import sys

import kombu

url, name = sys.argv[1:]
key = "clé.ключ.鍵"

RICH_HEADERS = {
    "text": "Grüße",
    "yes": True,
    "no": False,
    "int": -42,
    "big": 2**40,
    "fraction": 1.5,
    "nothing": None,
    "list": [1, "two", {"three": 3}],
    "table": {"inner": {"deep": "value"}},
    "decimal": decimal.Decimal("3.14"),
}
MESSAGES = [
    ("plain", {}),
    ("Grüße, 世界 🐇", {"ключ 🗝": "значение"}),
    ("", RICH_HEADERS),
    ("abcdefg" * 149797, {}),
]


def done(step):
    print("done", step, flush=True)


def check_equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {str(found)[:500]}, expected {str(expected)[:500]}")


connection = kombu.Connection(url, transport_options={"confirm_publish": True})
channel = connection.channel()

exchange = kombu.Exchange(name + "-exchange", "direct", durable=True, channel=channel)
queue = kombu.Queue(name, exchange, key, durable=True, channel=channel)
queue.declare()
done("declare")

returned = []
producer = kombu.Producer(
    channel, exchange, on_return=lambda error, *rest: returned.append(error.reply_code)
)
for body, headers in MESSAGES:
    producer.publish(body, routing_key=key, headers=headers, delivery_mode=2)
check_equal(channel.queue_declare(name, passive=True).message_count, len(MESSAGES))
done("confirm")

received = []


def on_message(message):
    received.append((message.decode(), message.headers))
    message.ack()


consumer = kombu.Consumer(channel, [queue], on_message=on_message, prefetch_count=2)
with consumer:
    while len(received) < len(MESSAGES):
        connection.drain_events(timeout=10)
check_equal(received, MESSAGES)
done("consume")

body, headers = MESSAGES[0]
producer.publish(body, routing_key=key, headers=headers)
message = queue.get()
message.ack()
check_equal((message.decode(), message.headers), MESSAGES[0])
check_equal(queue.get(), None)
done("get")

producer.publish("lost", routing_key="nowhere", mandatory=True)
while not returned:
    connection.drain_events(timeout=10)
check_equal(returned, [312])
done("return")

check_equal(channel.queue_declare(name, passive=True).message_count, 0)
queue.delete()
exchange.delete()
connection.close()
done("close")
