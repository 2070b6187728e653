"""The scenarios with Celery: a worker process of its own, asked by this one.

    python3 celery_session.py URL NAME SCENARIO...

It runs the scenarios and prints `done NAME` or `failed NAME` for each, with the reason on standard error. None can
follow `shutdown`.
"""

import os
import subprocess
import sys
import tempfile
import time
import traceback

url, name, *scenarios = sys.argv[1:]
os.environ["INTEROP_BROKER"] = url
os.environ["INTEROP_QUEUE"] = name

import celery_tasks  # noqa: E402  (reads what was just set)

# How long an answer may take before it counts as missing; only failures wait.
PATIENCE_S = 60
COUNTDOWN_S = 1
NODE = f"worker@{name}"
DIRECTORY = os.path.dirname(__file__)

_SCENARIOS = {}


def scenario(title):
    def register(body):
        _SCENARIOS[title] = body
        return body

    return register


def check_equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {str(found)[:1000]}, expected {str(expected)[:1000]}")


@scenario("task")
def task(worker):
    check_equal(celery_tasks.add.delay(2, 3).get(timeout=PATIENCE_S), 5)
    text = "Grüße, 世界 🐇" * 10_000
    check_equal(celery_tasks.echo.delay(text).get(timeout=PATIENCE_S), text)
    results = [celery_tasks.add.delay(i, i) for i in range(20)]
    check_equal([result.get(timeout=PATIENCE_S) for result in results], [2 * i for i in range(20)])
    try:
        celery_tasks.fail.delay("as asked").get(timeout=PATIENCE_S)
    except ValueError as error:
        check_equal(str(error), "as asked")
    else:
        raise AssertionError("the error did not come back")


@scenario("retry")
def retry(worker):
    check_equal(celery_tasks.flaky.delay().get(timeout=PATIENCE_S), 2)


@scenario("countdown")
def countdown(worker):
    asked = time.time()
    ran = celery_tasks.clock.apply_async(countdown=COUNTDOWN_S).get(timeout=PATIENCE_S)
    check_equal(ran - asked >= COUNTDOWN_S, True)


@scenario("control")
def control(worker):
    app = celery_tasks.app
    check_equal(app.control.inspect([NODE], timeout=PATIENCE_S, limit=1).ping(), {NODE: {"ok": "pong"}})
    registered = app.control.inspect([NODE], timeout=PATIENCE_S, limit=1).registered()[NODE]
    check_equal("celery_tasks.add" in registered, True)
    reply = app.control.rate_limit(
        "celery_tasks.add", "1000/s", destination=[NODE], reply=True, timeout=PATIENCE_S, limit=1
    )
    check_equal(reply, [{NODE: {"ok": "new rate limit set successfully"}}])


@scenario("shutdown")
def shutdown(worker):
    app = celery_tasks.app
    app.control.shutdown(destination=[NODE])
    check_equal(worker.process.wait(PATIENCE_S), 0)
    with app.connection() as connection:
        left = connection.channel().queue_declare(name, passive=True)
        check_equal((left.message_count, left.consumer_count), (0, 0))
        connection.channel().queue_delete(name)


def restart(worker, title):
    """Waits while the broker goes and comes back."""
    check_equal(ask_from_elsewhere(2, 3), "5\n")
    losses = worker.count_losses()
    print("ready", title, flush=True)
    deadline = time.monotonic() + PATIENCE_S
    while worker.count_losses() == losses:
        check_equal((worker.process.poll(), time.monotonic() < deadline), (None, True))
        time.sleep(0.1)
    check_equal(ask_from_elsewhere(3, 4), "7\n")


def ask_from_elsewhere(a, b):
    """From a process that knows nothing of any restart."""
    code = f"import celery_tasks; print(celery_tasks.add.delay({a}, {b}).get(timeout={PATIENCE_S}))"
    asked = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=DIRECTORY, stdout=subprocess.PIPE, text=True, check=True
    )
    return asked.stdout


@scenario("restart-sigterm")
def restart_sigterm(worker):
    restart(worker, "restart-sigterm")


@scenario("restart-sigkill")
def restart_sigkill(worker):
    restart(worker, "restart-sigkill")


class Worker:
    def __init__(self, log):
        command = [sys.executable, "-B", "-m", "celery", "-A", "celery_tasks", "worker"]
        options = ["--pool", "solo", "--concurrency", "1", "--hostname", NODE, "--loglevel", "INFO"]
        self._log = log
        self.process = subprocess.Popen(command + options, cwd=DIRECTORY, stdout=log, stderr=log)

    def wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE_S
        while f"{NODE} ready.".encode() not in self.log():
            check_equal((self.process.poll(), time.monotonic() < deadline), (None, True))
            time.sleep(0.1)

    def log(self):
        self._log.flush()
        return os.pread(self._log.fileno(), 10_000_000, 0)

    def count_losses(self):
        """How often it said that its connection is gone."""
        return self.log().count(b"Connection to broker lost")


with tempfile.TemporaryFile() as log:
    worker = Worker(log)
    try:
        worker.wait_until_ready()
        for title in scenarios:
            try:
                _SCENARIOS[title](worker)
                print("done", title, flush=True)
            except Exception:
                print(f"{title}: {traceback.format_exc()}", file=sys.stderr)
                print("failed", title, flush=True)
    finally:
        if worker.process.poll() is None:
            worker.process.terminate()
            worker.process.wait()
        sys.stderr.buffer.write(worker.log())
