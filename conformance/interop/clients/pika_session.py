"""The interop session with pika's blocking connection."""

import collections
import datetime
import decimal

import pika
from session import run, wait_for


class Delivery:
    def __init__(self, channel, method, properties, body):
        self._channel = channel
        self._tag = method.delivery_tag
        self.body = body
        self.headers = properties.headers or {}
        self.properties = vars(properties)
        self.redelivered = method.redelivered

    def ack(self, multiple=False):
        self._channel.basic_ack(self._tag, multiple)

    def requeue(self):
        self._channel.basic_nack(self._tag, requeue=True)

    def reject(self):
        self._channel.basic_reject(self._tag, requeue=False)


class Consumer:
    def __init__(self, connection, channel, queue, prefetch):
        self._connection = connection
        self._channel = channel
        self._arrived = collections.deque()
        self._cancelled = []
        channel.add_on_cancel_callback(self._cancelled.append)
        channel.basic_qos(prefetch_count=prefetch)
        self._tag = channel.basic_consume(
            queue, lambda *parts: self._arrived.append(Delivery(*parts)), auto_ack=prefetch == 0
        )

    def next(self):
        wait_for(lambda: self._arrived, self._step)
        return self._arrived.popleft()

    def cancel(self):
        self._channel.basic_cancel(self._tag)

    def wait_until_cancelled(self):
        wait_for(lambda: self._cancelled, self._step)

    def _step(self):
        self._connection.process_data_events(time_limit=1)


class Transaction:
    def __init__(self, channel):
        self._channel = channel
        channel.tx_select()
        self.commit = channel.tx_commit
        self.rollback = channel.tx_rollback

    def publish(self, queue, body):
        self._channel.basic_publish("", queue, body)


class Client:
    RICH_HEADERS = {
        "text": "Grüße",
        "bytes": b"\x00\xff\x01",
        "yes": True,
        "no": False,
        "int": -42,
        "long": 2**40,
        "nothing": None,
        "decimal": decimal.Decimal("3.14"),
        "time": datetime.datetime(2023, 11, 14, 22, 13, 20),
        "list": [1, "two", {"three": 3}, [None]],
        "table": {"inner": {"deep": "value"}},
    }
    UNICODE_NAMES = True
    reconnected = None

    def __init__(self, url, heartbeat=None):
        parameters = pika.URLParameters(url)
        if heartbeat is not None:
            parameters.heartbeat = heartbeat
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()

    def declare_queue(self, name, **options):
        method = self._channel.queue_declare(name, **options).method
        return method.queue, method.message_count

    def refusal_of(self, name, **options):
        try:
            self._connection.channel().queue_declare(name, **options)
        except pika.exceptions.ChannelClosedByBroker as error:
            return error.reply_code

    def declare_exchange(self, name, type):
        self._channel.exchange_declare(name, type, durable=True)

    def bind_queue(self, queue, exchange, key):
        self._channel.queue_bind(queue, exchange, key)

    def bind_exchange(self, destination, source, key):
        self._channel.exchange_bind(destination, source, key)

    def unbind_exchange(self, destination, source, key):
        self._channel.exchange_unbind(destination, source, key)

    def delete_queue(self, name):
        self._channel.queue_delete(name)

    def delete_exchange(self, name):
        self._channel.exchange_delete(name)

    def publish(self, exchange, key, body, headers=None, properties=None):
        sent = pika.BasicProperties(delivery_mode=2, headers=headers, **(properties or {}))
        self._channel.basic_publish(exchange, key, body, sent)

    def publish_unroutable(self, exchange, key, body):
        try:
            self._channel.basic_publish(exchange, key, body, mandatory=True)
        except pika.exceptions.UnroutableError as error:
            return error.messages[0].method.reply_code

    def consume(self, queue, prefetch):
        return Consumer(self._connection, self._channel, queue, prefetch)

    def get(self, queue):
        method, properties, body = self._channel.basic_get(queue)
        return None if method is None else Delivery(self._channel, method, properties, body)

    def recover(self):
        self._channel.basic_recover(requeue=True)

    def transaction(self):
        return Transaction(self._connection.channel())

    def idle(self, seconds):
        self._connection.sleep(seconds)

    def close(self):
        self._connection.close()


run(Client)
