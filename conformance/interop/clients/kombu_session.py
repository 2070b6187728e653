"""The interop session with kombu on py-amqp, as Celery uses them."""

import collections
import datetime
import decimal
import socket
import time

import amqp
import kombu
from session import PATIENCE_S, run, wait_for

# What kombu hands out beside the properties.
_OWN_ATTRIBUTES = ("content_type", "content_encoding")


class Delivery:
    def __init__(self, message):
        self._message = message
        self.body = message.body if isinstance(message.body, bytes) else message.body.encode()
        self.headers = message.headers
        self.properties = dict(message.properties)
        for name in _OWN_ATTRIBUTES:
            self.properties[name] = getattr(message, name)
        self.redelivered = message.delivery_info["redelivered"]
        self.ack = message.ack
        self.requeue = message.requeue
        self.reject = message.reject


class Consumer:
    def __init__(self, connection, channel, queue, prefetch):
        self._connection = connection
        self._arrived = collections.deque()
        self._consumer = kombu.Consumer(
            channel,
            [kombu.Queue(queue)],
            no_ack=prefetch == 0,
            auto_declare=False,
            on_message=lambda message: self._arrived.append(Delivery(message)),
            prefetch_count=prefetch,
        )
        self._consumer.consume()

    def next(self):
        wait_for(lambda: self._arrived, lambda: self._connection.drain_events(timeout=PATIENCE_S))
        return self._arrived.popleft()

    def cancel(self):
        self._consumer.cancel()

    def wait_until_cancelled(self):
        try:
            self._connection.drain_events(timeout=PATIENCE_S)
        except amqp.exceptions.ConsumerCancelled:
            return
        raise AssertionError("something else came")


class Transaction:
    def __init__(self, url):
        self._connection = kombu.Connection(url)
        self._channel = self._connection.channel()
        self._channel.tx_select()
        self.close = self._connection.close
        self.commit = self._channel.tx_commit
        self.rollback = self._channel.tx_rollback

    def publish(self, queue, body):
        kombu.Producer(self._channel).publish(body, routing_key=queue)


class Client:
    RICH_HEADERS = {
        "text": "Grüße",
        "yes": True,
        "no": False,
        "int": -42,
        "long": 2**40,
        "fraction": 1.5,
        "nothing": None,
        "decimal": decimal.Decimal("3.14"),
        "time": datetime.datetime(2023, 11, 14, 22, 13, 20),
        "list": [1, "two", {"three": 3}, [None]],
        "table": {"inner": {"deep": "value"}},
    }
    UNICODE_NAMES = True
    reconnected = None

    def __init__(self, url, heartbeat=None):
        self._url = url
        self._connection = kombu.Connection(
            url, heartbeat=heartbeat, transport_options={"confirm_publish": True}
        )
        self._channel = self._connection.channel()
        self._transactions = []
        self._returned = []
        self._producer = kombu.Producer(
            self._channel,
            auto_declare=False,
            on_return=lambda error, *rest: self._returned.append(error.reply_code),
        )

    def declare_queue(self, name, **options):
        return declare_on(self._channel, name, **options)

    def refusal_of(self, name, **options):
        try:
            declare_on(self._connection.channel(), name, **options)
        except amqp.exceptions.ChannelError as error:
            return error.reply_code

    def declare_exchange(self, name, type):
        kombu.Exchange(name, type, durable=True)(self._channel).declare()

    def bind_queue(self, queue, exchange, key):
        kombu.Queue(queue)(self._channel).bind_to(exchange, key)

    def bind_exchange(self, destination, source, key):
        kombu.Exchange(destination)(self._channel).bind_to(source, key)

    def unbind_exchange(self, destination, source, key):
        kombu.Exchange(destination)(self._channel).unbind_from(source, key)

    def delete_queue(self, name):
        kombu.Queue(name)(self._channel).delete()

    def delete_exchange(self, name):
        kombu.Exchange(name)(self._channel).delete()

    def publish(self, exchange, key, body, headers=None, properties=None):
        sent = dict(properties or {})
        if "expiration" in sent:
            sent["expiration"] = int(sent["expiration"]) / 1000  # kombu's are in seconds
        self._producer.publish(
            body, exchange=exchange, routing_key=key, headers=headers, delivery_mode=2, **sent
        )

    def publish_unroutable(self, exchange, key, body):
        self._producer.publish(body, exchange=exchange, routing_key=key, mandatory=True)
        wait_for(lambda: self._returned, lambda: self._connection.drain_events(timeout=PATIENCE_S))
        return self._returned[0]

    def consume(self, queue, prefetch):
        return Consumer(self._connection, self._channel, queue, prefetch)

    def get(self, queue):
        message = kombu.Queue(queue)(self._channel).get()
        return None if message is None else Delivery(message)

    def recover(self):
        self._channel.basic_recover(requeue=True)

    def transaction(self):
        # Of its own connection: kombu puts all channels of one that confirms into confirm mode.
        transaction = Transaction(self._url)
        self._transactions.append(transaction)
        return transaction

    def idle(self, seconds):
        """As Celery's loop does, but checks oftener: py-amqp is up to two checks late with every heartbeat."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._connection.heartbeat_check(rate=2)
            try:
                self._connection.drain_events(timeout=0.1)
            except socket.timeout:
                pass

    def close(self):
        for transaction in self._transactions:
            transaction.close()
        self._connection.close()


def declare_on(channel, name, **options):
    # Not by kombu.Queue, which makes every exclusive queue auto-delete.
    reply = channel.queue_declare(name, auto_delete=False, **options)
    return reply.queue, reply.message_count


run(Client)
