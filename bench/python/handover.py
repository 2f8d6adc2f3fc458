"""A large array of doubles to another Python process, and its sum back: over shared memory and over a pipe."""

import multiprocessing
from array import array
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter_ns

try:
    import numpy
except ImportError:
    numpy = None

from held import hold

# A new value for each job: a sum of stale bytes would be found out.
VALUES = (1.25, 2.5)


def numpy_version():
    return numpy.__version__ if numpy else None


def total(buffer, size):
    if numpy:
        return float(numpy.frombuffer(buffer, dtype="float64", count=size // 8).sum())
    return sum(memoryview(buffer)[:size].cast("d"))


def fill(buffer, size, value):
    if numpy:
        numpy.frombuffer(buffer, dtype="float64", count=size // 8)[:] = value
    else:
        made = hold(
            ("doubles", size, value),
            lambda: memoryview(array("d", [value]) * (size // 8)).cast("B"),
            lambda view: view.release(),
        )
        memoryview(buffer)[:size] = made


def _consume_shm(pipe, name, size):
    shm = SharedMemory(name)
    pipe.send(None)
    while pipe.recv():
        pipe.send(total(shm.buf, size))
    shm.close()


def _consume_pipe(pipe, size):
    target = bytearray(size)
    pipe.send(None)
    while pipe.recv():
        pipe.recv_bytes_into(target)
        pipe.send(total(target, size))


class _Consumer:
    """A process that sums up, and the pipe to it."""

    def __init__(self, consume, *args):
        # spawn: a fork would share what this process holds.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=consume, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def stop(self):
        self.pipe.send(False)
        self.process.join()


class _Shared:
    def __init__(self, size, prefix):
        self.shm = SharedMemory(f"{prefix}-py-handover", create=True, size=size)
        self.buffer = self.shm.buf
        self.consumer = _Consumer(_consume_shm, self.shm.name, size)

    def hand_over(self):
        self.consumer.pipe.send(True)

    def stop(self):
        self.consumer.stop()
        self.buffer = None
        self.shm.close()
        self.shm.unlink()


class _Piped:
    def __init__(self, size):
        self.buffer = bytearray(size)
        self.consumer = _Consumer(_consume_pipe, size)

    def hand_over(self):
        self.consumer.pipe.send(True)
        self.consumer.pipe.send_bytes(self.buffer)

    def stop(self):
        self.consumer.stop()


def _run(iterations, lane, size, writing):
    elapsed = 0
    for job in range(iterations):
        value = VALUES[job % 2]
        start = perf_counter_ns()
        fill(lane.buffer, size, value)
        if not writing:
            start = perf_counter_ns()
        lane.hand_over()
        answer = lane.consumer.pipe.recv()
        elapsed += perf_counter_ns() - start
        if answer != value * (size // 8):
            raise ValueError(f"the sum came back as {answer}")
    return elapsed


def shared(iterations, size, prefix, writing):
    lane = hold("handover.shared", lambda: _Shared(size, prefix), _Shared.stop)
    return _run(iterations, lane, size, writing)


def piped(iterations, size, writing):
    lane = hold("handover.piped", lambda: _Piped(size), _Piped.stop)
    return _run(iterations, lane, size, writing)


SNIPPETS = {"handover.shared": shared, "handover.piped": piped}
