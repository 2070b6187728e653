"""The tasks of the interop worker; its broker and the name of its queue come from the environment."""

import os
import time

import celery

app = celery.Celery("celery_tasks", broker=os.environ["INTEROP_BROKER"], backend="rpc://")
app.conf.update(
    task_default_queue=os.environ["INTEROP_QUEUE"],
    task_acks_late=True,
    # FirnMQ has no queues that expire yet (x-expires, x-message-ttl): these are what Celery asks them for.
    result_expires=None,
    control_queue_expires=None,
    control_queue_ttl=None,
    event_queue_expires=None,
    event_queue_ttl=None,
)


@app.task
def add(a, b):
    return a + b


@app.task
def echo(value):
    return value


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def flaky(self):
    """Succeeds when it is run for the third time."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def clock():
    return time.time()
