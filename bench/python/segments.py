"""multiprocessing.shared_memory.SharedMemory, as a user would write it."""

import ctypes
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter_ns

from held import hold


def cycle(iterations, size, name=None):
    start = perf_counter_ns()
    for _ in range(iterations):
        shm = SharedMemory(name, create=True, size=size)
        shm.close()
        shm.unlink()
    return perf_counter_ns() - start


def fill(iterations, size):
    """memset: the fastest way to write every byte that CPython has, and what Buffer.fill does, too."""
    start = perf_counter_ns()
    for _ in range(iterations):
        shm = SharedMemory(create=True, size=size)
        first = ctypes.c_char.from_buffer(shm.buf)
        ctypes.memset(ctypes.addressof(first), 1, size)
        del first  # close() refuses while the buffer is exported
        shm.close()
        shm.unlink()
    return perf_counter_ns() - start


def copy(iterations, size):
    payload = hold(("payload", size), lambda: bytes([1]) * size, lambda _: None)
    start = perf_counter_ns()
    for _ in range(iterations):
        shm = SharedMemory(create=True, size=size)
        shm.buf[:size] = payload
        shm.close()
        shm.unlink()
    return perf_counter_ns() - start


def attach(iterations, name):
    start = perf_counter_ns()
    for _ in range(iterations):
        shm = SharedMemory(name)
        shm.close()
    elapsed = perf_counter_ns() - start
    _forget(shm)
    return elapsed


def attach_read(iterations, name):
    total = 0
    start = perf_counter_ns()
    for _ in range(iterations):
        shm = SharedMemory(name)
        total += shm.buf[0]
        shm.close()
    elapsed = perf_counter_ns() - start
    _forget(shm)
    if total != iterations * 7:
        raise ValueError(f"read {total}")
    return elapsed


def _forget(shm):
    """Attaching told the tracker that the segment is ours, and it would unlink it in the end.

    The tracker keeps a set: one call undoes any number of attaches.
    """
    resource_tracker.unregister(shm._name, "shared_memory")


SNIPPETS = {
    "segment.cycle": cycle,
    "segment.fill": fill,
    "segment.copy": copy,
    "segment.attach": attach,
    "segment.attach_read": attach_read,
}
