"""What pool-python.test.ts calls."""

import asyncio
import os
import signal
import sys
import threading
import time

GREETING = "no function"


def echo(value):
    return value


def kinds(*values):
    return [type(value).__name__ for value in values]


def fail(value):
    raise ValueError(f"not {value}")


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    code = errno = property(__str__)


def speechless():
    raise Speechless


async def called_off():
    sleeper = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    sleeper.cancel()
    await sleeper


views = []


def keep_view(values):
    views.append(values.shm.buf[:8])
    return len(values)


def close_stdout():
    sys.stdout.close()


async def later(value):
    return value * 2


def unsendable():
    return {1: 2}


def pid():
    return os.getpid()


def sleep_behind(seconds):
    threading.Thread(target=time.sleep, args=(seconds,)).start()
    return os.getpid()


def say_and_sleep(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)


def hang(event, name):
    """Owns a segment, says that it is there, and never comes back."""
    import shmkit

    shmkit.SharedArray.create(8, name=name)
    event.set()
    while True:
        pass


def leave(code):
    sys.exit(code)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def slow(item):
    counter, seconds = item
    with counter.txn() as txn:
        txn[0] = txn[0] + 1
    time.sleep(seconds)


def kill_once(item):
    counter, value = item
    with counter.txn() as txn:
        txn[0] = txn[0] + 1
        first = txn[0] == 1
    if first:
        kill()
    return value


# shared objects


def negate(data, output, start):
    import numpy

    numpy.negative(numpy.asarray(data), out=numpy.asarray(output))
    if numpy.asarray(data).shape[1:] == (3,):
        numpy.asarray(output)[:, 2] = start


def squares(count):
    import numpy
    import shmkit

    array = shmkit.SharedArray.create(count, dtype="int32")
    numpy.asarray(array)[:] = numpy.arange(count) ** 2
    return {"array": array, "same": array}


def forward(queue, factor):
    """Takes all frames of the queue, and gives what they add up to."""
    total = 0.0
    for frame in queue:
        total += float(frame.sum()) * factor
    return total


def note(shared, key, value):
    shared[key] = value
    return shared


def closes(shared):
    shared.close()
    return shared
