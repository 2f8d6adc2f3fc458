"""Dicts that processes share: multiprocessing.Manager().dict(), and UltraDict where it is installed.

The keys and values are those of rows/dict-values.ts.
"""

import multiprocessing
import random
from time import perf_counter_ns

from held import hold

try:
    import UltraDict
except ImportError:
    UltraDict = None

try:
    import atomics
except ImportError:
    atomics = None

KILOBYTE = 1024
KINDS = {
    "int": lambda i: i * 100003,
    "text": lambda i: f"item-{i:015d}",
    "object": lambda i: {
        "id": i,
        "name": f"name-{i}",
        "score": i + 0.5,
        "tags": [f"tag-{i % 10}", f"tag-{i % 7}"],
        "active": i % 2 == 1,
    },
    "kilobyte": lambda i: (f"{i} grüße aus Köln, " * (KILOBYTE // 16))[:KILOBYTE],
    "bytes": lambda i: bytes([i % 256]) * KILOBYTE,
}
# UltraDict writes changes into a buffer of so many bytes, and all that there is once it is full. Its default is 10,000 bytes:
# with as many keys it would write all of them every hundred sets.
BUFFER = 1 << 24
DUMP = 1 << 25


class _Managed:
    """A dict in a process of its own; each access is a message to it and one back."""

    def __init__(self, _prefix):
        # spawn: a fork would share what this process holds.
        self.manager = multiprocessing.get_context("spawn").Manager()
        self.dict = self.manager.dict()

    def remove(self):
        self.manager.shutdown()


class _Ultra:
    """A dict in each process, and the changes in shared memory."""

    def __init__(self, prefix):
        self.dict = UltraDict.UltraDict(
            name=f"{prefix}-ultra",
            create=True,
            shared_lock=atomics is not None,
            buffer_size=BUFFER,
            full_dump_size=DUMP,
        )

    def remove(self):
        self.dict.unlink()


SORTS = {"manager": _Managed, "ultra": _Ultra}


class _Filled:
    """A dict with its first values, the keys to look up, and two rows of values that are to be set."""

    def __init__(self, sort, kind, count, ops, prefix):
        value = KINDS[kind]
        self.shared = SORTS[sort](prefix)
        self.shared.dict.update({f"key-{i:08d}": value(i) for i in range(count)})
        # Shuffled, and other strings than those that were put in, as readers in other processes have them.
        order = random.Random(1).sample(range(count), ops)
        self.keys = [f"key-{i:08d}" for i in order]
        self.first = [value(i) for i in order]
        self.next = [[value(i + row) for i in order] for row in (1, 2)]

    def check(self, expected):
        contents = dict(self.shared.dict.items())
        if [contents[key] for key in self.keys] != expected:
            raise ValueError("the dict has other values")

    def remove(self):
        self.shared.remove()


def _filled(*args):
    return hold(("dict", *args), lambda: _Filled(*args), _Filled.remove)


def get(iterations, sort, kind, count, ops, prefix):
    filled = _filled(sort, kind, count, ops, prefix)
    shared, keys = filled.shared.dict, filled.keys
    start = perf_counter_ns()
    for _ in range(iterations):
        for key in keys:
            shared[key]
    elapsed = perf_counter_ns() - start
    filled.check(filled.first)
    return elapsed


def set_(iterations, sort, kind, count, ops, prefix):
    filled = _filled(sort, kind, count, ops, prefix)
    shared = filled.shared.dict
    rows = [list(zip(filled.keys, values)) for values in filled.next]
    start = perf_counter_ns()
    for left in range(iterations, 0, -1):
        for key, value in rows[(left - 1) % 2]:
            shared[key] = value
    elapsed = perf_counter_ns() - start
    filled.check(filled.next[0])
    return elapsed


def update(iterations, sort, kind, count, ops, prefix, batch):
    filled = _filled(sort, kind, count, ops, prefix)
    shared = filled.shared.dict
    rows = [list(zip(filled.keys, values)) for values in filled.next]
    batches = [[dict(row[i : i + batch]) for i in range(0, ops, batch)] for row in rows]
    start = perf_counter_ns()
    for left in range(iterations, 0, -1):
        for entries in batches[(left - 1) % 2]:
            shared.update(entries)
    elapsed = perf_counter_ns() - start
    filled.check(filled.next[0])
    return elapsed


SNIPPETS = {"dict.get": get, "dict.set": set_, "dict.update": update}
