"""What pool-python.test.ts calls."""

import os
import signal
import sys
import time

GREETING = "no function"


def echo(value):
    return value


def kinds(*values):
    return [type(value).__name__ for value in values]


def fail(value):
    raise ValueError(f"not {value}")


async def later(value):
    return value * 2


def unsendable():
    return {1: 2}


def pid():
    return os.getpid()


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
