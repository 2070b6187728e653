"""AMQPS with pika and Python's ssl: python3 pika_amqps.py PORT CA CERT KEY

Logs in with the certificate (EXTERNAL), takes a message of 10 MB there and back, and is refused without one."""

import ssl
import sys

import pika
from pika.credentials import ExternalCredentials

port, ca, cert, key = sys.argv[1:]


def parameters(context, credentials):
    options = pika.SSLOptions(context, "127.0.0.1")
    return pika.ConnectionParameters(
        "127.0.0.1", int(port), ssl_options=options, credentials=credentials, connection_attempts=1
    )


context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
connection = pika.BlockingConnection(parameters(context, ExternalCredentials()))
channel = connection.channel()
channel.confirm_delivery()
queue = channel.queue_declare("", exclusive=True).method.queue
body = b"amqps " * 1_700_000
channel.basic_publish("", queue, body)  # raises unless confirmed
method, properties, received = channel.basic_get(queue, auto_ack=True)
if received != body:
    raise AssertionError("another body came back")
connection.close()
print("done external", flush=True)

context = ssl.create_default_context(cafile=ca)
plain = pika.PlainCredentials("guest", "guest")
connection = pika.BlockingConnection(parameters(context, plain))
connection.close()
print("done password", flush=True)

try:
    pika.BlockingConnection(parameters(ssl.create_default_context(), plain))
    raise AssertionError("a server of an unknown authority was believed")
except ssl.SSLCertVerificationError:
    print("done unknown-authority", flush=True)
