"""The scenarios for the clients in Python. One file per client defines a class with the methods that are
used here on `client`, and calls `run`, which runs the scenarios that the command line names:

    python3 CLIENT_session.py URL NAME SCENARIO...

and prints `done NAME` or `failed NAME` for each, with the reason on standard error. NAME begins the names of
all queues and exchanges. A client is one connection with one channel in confirm mode:

    Client(url, heartbeat=None)     connects; `heartbeat` in seconds
    RICH_HEADERS                    headers of every type that the library can write and reads back as they were
    UNICODE_NAMES                   whether it lets names of queues and exchanges be other than ASCII
    declare_queue(name, durable=False, exclusive=False, passive=False) -> (name, message count)
    refusal_of(name, ...)           declares on a channel of its own -> reply code of the refusal
    declare_exchange(name, type), bind_queue(queue, exchange, key), delete_queue(name), delete_exchange(name),
    bind_exchange(destination, source, key), unbind_exchange(destination, source, key)
    publish(exchange, key, body, headers=None, properties=None)   persistent; returns once it is confirmed
    publish_unroutable(exchange, key, body) -> reply code of the return
    consume(queue, prefetch) -> Consumer    prefetch 0: without acks
    get(queue) -> Delivery or None
    recover(), idle(seconds), close()
    transaction() -> an object with publish(queue, body), commit(), rollback()
    Client.subscribe(url, exchange, queue, key) -> Subscription   where the library restores consumers
    reconnected()                   waits until the library is connected again; None where it does not do that

    Consumer: next() -> Delivery, cancel(), wait_until_cancelled()
    Subscription: next() -> body, wait_until_restored(), close()
    Delivery: body, headers, properties (those asked for by name), redelivered, ack(multiple=False), requeue(),
              reject()
"""

import hashlib
import sys
import time
import traceback

LARGE_BODY = (b"abcdefghijk" * (1024 * 1024))[: 10 * 1024 * 1024 + 7]
UNICODE = "clé.ключ.鍵 🗝"
EVERY_PROPERTY = {
    "content_type": "application/x-note",
    "content_encoding": "utf-8",
    "priority": 7,
    "correlation_id": "corrélation",
    "reply_to": "answers",
    "expiration": "600000",
    "message_id": "m-1",
    "timestamp": 1_700_000_000,
    "type": "greeting",
    "user_id": "guest",
    "app_id": "interop",
}
# At 1 s some libraries hang up when a loaded machine is half a second late.
HEARTBEAT_S = 3
# More than three intervals: a silent side is given up after two to three.
SILENCE_S = 10.5
CONFIRMED_BEFORE_RESTART = 100
# Between the messages after those, while other clients are not yet ready.
PUBLISH_PAUSE_S = 0.01
COLLECT_PREFETCH = 100
CONNECT_PAUSE_S = 0.1
# How long an answer may take before it counts as missing; only failures wait.
PATIENCE_S = 30

_SCENARIOS = {}


def scenario(name):
    def register(body):
        _SCENARIOS[name] = body
        return body

    return register


class Session:
    def __init__(self, connect, url, name):
        self._connect = connect
        self._url = url
        self._clients = []
        self.name = name

    def connect(self, **options):
        """A new connection, closed when the scenario ends well."""
        client = self._connect(self._url, **options)
        self._clients.append(client)
        return client

    def with_queue(self, **options):
        """A connection and the name of an exclusive queue of it."""
        client = self.connect(**options)
        return client, client.declare_queue("", exclusive=True)[0]

    def subscribe(self, *names):
        return self._connect.subscribe(self._url, *names)

    def forget(self, client):
        self._clients.remove(client)

    def close(self):
        for client in self._clients:
            client.close()


def run(connect):
    url, name, *scenarios = sys.argv[1:]
    for title in scenarios:
        session = Session(connect, url, f"{name}-{title}")
        try:
            _SCENARIOS[title](session)
            session.close()
            say("done", title)
        except Exception:
            print(f"{title}: {traceback.format_exc()}", file=sys.stderr)
            say("failed", title)


def say(*words):
    print(*words, flush=True)


def check_equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {str(found)[:1000]}, expected {str(expected)[:1000]}")


def wait_for(condition, step):
    """Does `step` until `condition` holds; raises when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing came within {PATIENCE_S} s")
        step()


def numbered(count):
    return [b"number %d" % i for i in range(count)]


def publish_all(client, queue, bodies):
    for body in bodies:
        client.publish("", queue, body)


def count_ready(client, queue):
    return client.declare_queue(queue, passive=True)[1]


@scenario("declare")
def declare(session):
    client = session.connect()
    queue, exchange = session.name, session.name + "-exchange"
    check_equal(client.declare_queue(queue, durable=True)[0], queue)
    client.declare_queue(queue, durable=True)
    client.declare_exchange(exchange, "direct")
    client.bind_queue(queue, exchange, "key")
    client.publish(exchange, "key", b"bound")
    check_equal(count_ready(client, queue), 1)
    named = client.declare_queue("", exclusive=True)[0]
    check_equal(named[:8], "amq.gen-")
    check_equal(client.refusal_of(queue + "-missing", passive=True), 404)
    check_equal(client.refusal_of(queue, durable=False), 406)
    client.declare_queue(queue + "-exclusive", exclusive=True)
    other = session.connect()
    check_equal(other.refusal_of(queue + "-exclusive", exclusive=True), 405)
    client.delete_queue(queue)
    client.delete_exchange(exchange)
    check_equal(client.refusal_of(queue, passive=True), 404)


@scenario("confirm")
def confirm(session):
    client, queue = session.with_queue()
    publish_all(client, queue, numbered(50))
    check_equal(count_ready(client, queue), 50)


@scenario("consume")
def consume(session):
    client, queue = session.with_queue()
    publish_all(client, queue, numbered(10))
    consumer = client.consume(queue, 3)
    unacked = [consumer.next() for _ in range(3)]
    found = [delivery.body for delivery in unacked]
    check_equal(count_ready(client, queue), 7)
    for _ in range(7):
        unacked.pop(0).ack()
        unacked.append(consumer.next())
        found.append(unacked[-1].body)
    for delivery in unacked:
        delivery.ack()
    check_equal(found, numbered(10))
    consumer.cancel()
    check_equal(client.get(queue), None)


@scenario("settle")
def settle(session):
    client, queue = session.with_queue()
    publish_all(client, queue, [b"one", b"two", b"three", b"four"])
    consumer = client.consume(queue, 10)
    _, two, _, four = [consumer.next() for _ in range(4)]
    two.reject()
    four.requeue()
    again = consumer.next()
    check_equal((again.body, again.redelivered), (b"four", True))
    again.ack(multiple=True)
    consumer.cancel()
    # Were one of them unacked still, this would bring it back.
    client.recover()
    check_equal(client.get(queue), None)


@scenario("get")
def get(session):
    client, queue = session.with_queue()
    check_equal(client.get(queue), None)
    client.publish("", queue, b"fetched")
    first = client.get(queue)
    check_equal((first.body, first.redelivered), (b"fetched", False))
    first.requeue()
    second = client.get(queue)
    check_equal((second.body, second.redelivered), (b"fetched", True))
    second.ack()
    check_equal(client.get(queue), None)


@scenario("return")
def return_unroutable(session):
    client, queue = session.with_queue()
    check_equal(client.publish_unroutable("", queue + "-missing", b"lost"), 312)


def remote_calls(session, reply_queue):
    """Requests from one connection, answered by another one."""
    answering, queue = session.with_queue()
    requests = answering.consume(queue, 1)
    asking = session.connect()
    reply_to = reply_queue or asking.declare_queue("", exclusive=True)[0]
    answers = asking.consume(reply_to, 0)
    for question in numbered(5):
        correlation_id = "id of " + question.decode()
        asking.publish(
            "", queue, question, properties={"reply_to": reply_to, "correlation_id": correlation_id}
        )
        request = requests.next()
        answering.publish(
            "",
            request.properties["reply_to"],
            b"answer to " + request.body,
            properties={"correlation_id": request.properties["correlation_id"]},
        )
        request.ack()
        answer = answers.next()
        check_equal(answer.body, b"answer to " + question)
        check_equal(answer.properties["correlation_id"], correlation_id)


@scenario("rpc")
def rpc(session):
    remote_calls(session, None)


@scenario("direct-reply-to")
def direct_reply_to(session):
    remote_calls(session, "amq.rabbitmq.reply-to")


@scenario("large")
def large(session):
    client, queue = session.with_queue()
    client.publish("", queue, LARGE_BODY)
    consumer = client.consume(queue, 1)
    delivery = consumer.next()
    check_equal(digest(delivery.body), digest(LARGE_BODY))
    consumer.cancel()
    delivery.requeue()
    fetched = client.get(queue)
    check_equal(digest(fetched.body), digest(LARGE_BODY))
    fetched.ack()


def digest(body):
    return len(body), hashlib.sha1(body).hexdigest()


@scenario("unicode")
def unicode(session):
    client = session.connect()
    queue, exchange = session.name, session.name + "-exchange"
    if client.UNICODE_NAMES:
        queue, exchange = queue + " очередь 列", exchange + " échange 交"
    client.declare_queue(queue, exclusive=True)
    client.declare_exchange(exchange, "topic")
    client.bind_queue(queue, exchange, UNICODE)
    headers = {UNICODE: "Grüße, 世界 🐇"}
    client.publish(exchange, UNICODE, f"{UNICODE} é".encode(), headers=headers)
    delivery = client.get(queue)
    check_equal(delivery.body.decode(), f"{UNICODE} é")
    check_equal(delivery.headers, headers)
    client.delete_exchange(exchange)


@scenario("headers")
def rich_headers(session):
    client, queue = session.with_queue()
    client.publish("", queue, b"", headers=client.RICH_HEADERS)
    delivery = client.get(queue)
    check_equal(delivery.body, b"")
    check_equal(delivery.headers, client.RICH_HEADERS)
    for name, value in client.RICH_HEADERS.items():
        # True is 1 to Python, and pika has a kind of int of its own.
        check_equal(isinstance(delivery.headers[name], type(value)), True)


@scenario("properties")
def every_property(session):
    client, queue = session.with_queue()
    client.publish("", queue, b"all", properties=EVERY_PROPERTY)
    delivery = client.get(queue)
    check_equal({name: delivery.properties[name] for name in EVERY_PROPERTY}, EVERY_PROPERTY)


@scenario("heartbeat")
def heartbeat(session):
    client, queue = session.with_queue(heartbeat=HEARTBEAT_S)
    client.idle(SILENCE_S)
    # The queue is exclusive: it would be gone with a first connection.
    client.publish("", queue, b"alive")
    check_equal(client.get(queue).body, b"alive")


@scenario("tx")
def tx(session):
    client, queue = session.with_queue()
    transaction = client.transaction()
    transaction.publish(queue, b"one")
    transaction.publish(queue, b"two")
    check_equal(count_ready(client, queue), 0)
    transaction.commit()
    check_equal(count_ready(client, queue), 2)
    transaction.publish(queue, b"three")
    transaction.rollback()
    transaction.commit()
    check_equal(count_ready(client, queue), 2)


@scenario("exchange-binding")
def exchange_binding(session):
    client, queue = session.with_queue()
    source, destination = session.name + "-source", session.name + "-destination"
    client.declare_exchange(source, "topic")
    client.declare_exchange(destination, "fanout")
    client.bind_exchange(destination, source, "through.#")
    client.bind_queue(queue, destination, "")
    client.publish(source, "through.both", b"passed")
    client.publish(source, "elsewhere", b"not bound")
    client.unbind_exchange(destination, source, "through.#")
    client.publish(source, "through.both", b"unbound")
    check_equal(client.get(queue).body, b"passed")
    check_equal(client.get(queue), None)
    client.delete_exchange(source)
    client.delete_exchange(destination)


@scenario("recover")
def recover(session):
    client, queue = session.with_queue()
    client.publish("", queue, b"unsettled")
    consumer = client.consume(queue, 5)
    check_equal(consumer.next().redelivered, False)
    client.recover()
    again = consumer.next()
    check_equal((again.body, again.redelivered), (b"unsettled", True))
    again.ack()
    consumer.cancel()
    check_equal(client.get(queue), None)


@scenario("cancel")
def cancel(session):
    client = session.connect()
    queue = session.name
    client.declare_queue(queue, durable=True)
    consumer = client.consume(queue, 1)
    other = session.connect()
    other.delete_queue(queue)
    consumer.wait_until_cancelled()
    client.declare_queue("", exclusive=True)


def restart(session, title):
    """Publishes until the connection ends, and looks for what was confirmed."""
    client = session.connect()
    queue = session.name
    client.declare_queue(queue, durable=True)
    confirmed = 0
    while True:
        try:
            client.publish("", queue, b"message %d" % confirmed)
        except Exception:
            break
        confirmed += 1
        if confirmed == CONFIRMED_BEFORE_RESTART:
            say("ready", title)
        if confirmed >= CONFIRMED_BEFORE_RESTART:
            time.sleep(PUBLISH_PAUSE_S)
    later = client
    if client.reconnected is None:
        session.forget(client)
        later = connect_again(session)
    else:
        client.reconnected()
    ready = count_ready(later, queue)
    consumer = later.consume(queue, COLLECT_PREFETCH)
    found = []
    while len(found) < ready:
        message = consumer.next()
        found.append(message.body)
        message.ack()
    consumer.cancel()
    if confirmed < CONFIRMED_BEFORE_RESTART:
        raise AssertionError(f"only {confirmed} were confirmed")
    # The last one was under way: it may have been written and not confirmed.
    count = confirmed + 1 if len(found) == confirmed + 1 else confirmed
    check_equal(found, [b"message %d" % i for i in range(count)])
    later.publish("", queue, b"afterwards")
    check_equal(later.get(queue).body, b"afterwards")
    later.delete_queue(queue)


@scenario("restart-consumer")
def restart_consumer(session):
    """Waits while the broker goes and comes back, and publishes from elsewhere."""
    exchange = session.name + "-exchange"
    subscription = session.subscribe(exchange, session.name, "key")
    before = session.connect()
    before.publish(exchange, "key", b"before")
    check_equal(subscription.next(), b"before")
    before.close()
    session.forget(before)
    say("ready", "restart-consumer")
    subscription.wait_until_restored()
    after = session.connect()
    after.publish(exchange, "key", b"after")
    check_equal(subscription.next(), b"after")
    subscription.close()
    after.delete_exchange(exchange)


def connect_again(session):
    """As the users of a client do that does not reconnect by itself."""
    while True:
        try:
            return session.connect()
        except Exception:
            time.sleep(CONNECT_PAUSE_S)


@scenario("restart-sigterm")
def restart_sigterm(session):
    restart(session, "restart-sigterm")


@scenario("restart-sigkill")
def restart_sigkill(session):
    restart(session, "restart-sigkill")
