"""The interop session with aio-pika's robust connection, which reconnects by itself."""

import asyncio
import datetime
import logging

import aio_pika
import aiormq
from session import PATIENCE_S, run

_LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(_LOOP)
# It tells of refusals and lost connections, which belong to the scenarios.
logging.disable(logging.CRITICAL)

_REPLY_CODES = {
    aiormq.exceptions.ChannelNotFoundEntity: 404,
    aiormq.exceptions.ChannelLockedResource: 405,
    aiormq.exceptions.ChannelPreconditionFailed: 406,
}


def wait(awaitable):
    return _LOOP.run_until_complete(asyncio.wait_for(awaitable, PATIENCE_S))


class Delivery:
    def __init__(self, message):
        self._message = message
        self.body = message.body
        self.headers = dict(message.headers)
        self.redelivered = message.redelivered
        self.properties = {
            name: getattr(message.properties, "message_type" if name == "type" else name)
            for name in (
                "content_type content_encoding priority correlation_id reply_to expiration "
                "message_id timestamp type user_id app_id"
            ).split()
        }
        time = message.properties.timestamp
        if time is not None:
            self.properties["timestamp"] = int(time.replace(tzinfo=datetime.timezone.utc).timestamp())

    def ack(self, multiple=False):
        wait(self._message.ack(multiple))

    def requeue(self):
        wait(self._message.nack(requeue=True))

    def reject(self):
        wait(self._message.reject(requeue=False))


class Consumer:
    def __init__(self, queue, prefetch):
        self._queue = queue
        self._arrived = asyncio.Queue()
        self._tag = wait(queue.consume(self._arrived.put, no_ack=prefetch == 0))

    def next(self):
        return Delivery(wait(self._arrived.get()))

    def cancel(self):
        wait(self._queue.cancel(self._tag))


class Transaction:
    def __init__(self, channel):
        self._channel = channel
        self._transaction = channel.transaction()
        wait(self._transaction.select())

    def publish(self, queue, body):
        wait(
            self._channel.default_exchange.publish(
                aio_pika.Message(body), queue, mandatory=False
            )
        )

    def commit(self):
        wait(self._transaction.commit())

    def rollback(self):
        wait(self._transaction.rollback())


class Subscription:
    """A robust connection declares, binds and consumes again by itself."""

    def __init__(self, url, exchange, queue, key):
        self._connection = wait(aio_pika.connect_robust(url, reconnect_interval=0.2))
        self._back = asyncio.Event()
        self._connection.reconnect_callbacks.add(lambda *rest: self._back.set())
        self._arrived = asyncio.Queue()
        # Kept, since the connection holds its channels weakly and restores only those that live.
        self._channel = wait(self._connection.channel())
        source = wait(self._channel.declare_exchange(exchange, "topic", durable=True))
        declared = wait(self._channel.declare_queue(queue, exclusive=True))
        wait(declared.bind(source, key))
        wait(declared.consume(self._arrived.put))

    def next(self):
        message = wait(self._arrived.get())
        wait(message.ack())
        return message.body

    def wait_until_restored(self):
        wait(self._back.wait())

    def close(self):
        wait(self._connection.close())


class Client:
    subscribe = Subscription
    # Fractions and decimals become bytes with JSON before they are written.
    RICH_HEADERS = {
        "text": "Grüße",
        "bytes": bytearray(b"\x00\xff\x01"),
        "yes": True,
        "no": False,
        "byte": 42,  # it cannot write negative ones
        "short": -4242,
        "int": -424242,
        "long": 2**40,
        "nothing": None,
        "time": datetime.datetime(2023, 11, 14, 22, 13, 20),
        "list": [1, "two", {"three": 3}, [None]],
        "table": {"inner": {"deep": "value"}},
    }
    UNICODE_NAMES = False

    def __init__(self, url, heartbeat=None):
        query = "" if heartbeat is None else f"?heartbeat={heartbeat}"
        self._connection = wait(aio_pika.connect_robust(url + query, reconnect_interval=0.2))
        self._channel = wait(self._connection.channel(on_return_raises=True))
        self._back = asyncio.Event()
        self._connection.reconnect_callbacks.add(lambda *rest: self._back.set())

    def reconnected(self):
        wait(self._back.wait())

    def declare_queue(self, name, **options):
        if name == "":
            # aio-pika makes up names itself; the library under it lets the broker do that.
            reply = wait(self._channel.channel.queue_declare("", **options))
            return reply.queue, reply.message_count
        queue = wait(self._channel.declare_queue(name, robust=False, **options))
        return queue.name, queue.declaration_result.message_count

    def refusal_of(self, name, **options):
        channel = wait(self._connection.channel())
        try:
            wait(channel.declare_queue(name, robust=False, **options))
        except tuple(_REPLY_CODES) as error:
            return _REPLY_CODES[type(error)]

    def declare_exchange(self, name, type):
        wait(self._channel.declare_exchange(name, type, durable=True))

    def bind_queue(self, queue, exchange, key):
        wait(self._queue(queue).bind(exchange, key))

    def bind_exchange(self, destination, source, key):
        wait(self._exchange(destination).bind(source, key))

    def unbind_exchange(self, destination, source, key):
        wait(self._exchange(destination).unbind(source, key))

    def delete_queue(self, name):
        wait(self._channel.queue_delete(name))

    def delete_exchange(self, name):
        wait(self._channel.exchange_delete(name))

    def publish(self, exchange, key, body, headers=None, properties=None):
        sent = dict(properties or {})
        if "expiration" in sent:
            sent["expiration"] = int(sent["expiration"]) / 1000  # aio-pika's are in seconds
        message = aio_pika.Message(
            body, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **sent
        )
        wait(self._exchange(exchange).publish(message, key, mandatory=False))

    def publish_unroutable(self, exchange, key, body):
        try:
            wait(self._exchange(exchange).publish(aio_pika.Message(body), key))
        except aio_pika.exceptions.DeliveryError as error:
            return error.message.delivery.reply_code

    def consume(self, queue, prefetch):
        wait(self._channel.set_qos(prefetch_count=prefetch))
        return Consumer(self._queue(queue), prefetch)

    def get(self, queue):
        message = wait(self._queue(queue).get(fail=False))
        return None if message is None else Delivery(message)

    def recover(self):
        wait(self._channel.channel.basic_recover(requeue=True))

    def transaction(self):
        return Transaction(wait(self._connection.channel(publisher_confirms=False)))

    def idle(self, seconds):
        wait(asyncio.sleep(seconds))

    def close(self):
        wait(self._connection.close())

    def _queue(self, name):
        return wait(self._channel.get_queue(name, ensure=False))

    def _exchange(self, name):
        if name == "":
            return self._channel.default_exchange
        return wait(self._channel.get_exchange(name, ensure=False))


run(Client)
