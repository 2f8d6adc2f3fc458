"""multiprocessing.shared_memory.ShareableList. The values are those of rows/list-items.ts."""

from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList
from time import perf_counter_ns

from held import hold

KINDS = {
    "int": lambda i: i * 1000003,
    "float": lambda i: i + 0.5,
    "bool": lambda i: i % 2 == 1,
    "None": lambda i: None,
    "str": lambda i: f"item-{i:015d}",
    "bytes": lambda i: f"item-{i:015d}".encode(),
    "text": lambda i: f"grüße-{i:014d}",
}
MIXED = list(KINDS.values())


def values(kind, count):
    if kind == "mixed":
        return [MIXED[i % len(MIXED)](i) for i in range(count)]
    return [KINDS[kind](i) for i in range(count)]


def _remove(items):
    items.shm.close()
    items.shm.unlink()


def _list(kind, count, prefix):
    name = f"{prefix}-py-{kind}-{count}"
    return hold(name, lambda: ShareableList(values(kind, count), name=name), _remove)


def get(iterations, kind, count, prefix):
    items = _list(kind, count, prefix)
    order = list(range(count))
    start = perf_counter_ns()
    for _ in range(iterations):
        for i in order:
            items[i]
    return perf_counter_ns() - start


def set_(iterations, kind, count, prefix):
    items = _list(kind, count, prefix)
    pairs = list(enumerate(values(kind, count)))
    start = perf_counter_ns()
    for _ in range(iterations):
        for i, value in pairs:
            items[i] = value
    return perf_counter_ns() - start


def create(iterations, kind, count):
    given = hold(("values", kind, count), lambda: values(kind, count), lambda _: None)
    start = perf_counter_ns()
    for _ in range(iterations):
        items = ShareableList(given)
        items.shm.close()
        items.shm.unlink()
    return perf_counter_ns() - start


def attach(iterations, name):
    start = perf_counter_ns()
    for _ in range(iterations):
        items = ShareableList(name=name)
        items.shm.close()
    elapsed = perf_counter_ns() - start
    resource_tracker.unregister(items.shm._name, "shared_memory")  # as in segments.py
    return elapsed


def iterate(iterations, count, prefix):
    items = _list("int", count, prefix)
    total = 0
    start = perf_counter_ns()
    for _ in range(iterations):
        for value in items:
            total += value
    return perf_counter_ns() - start


def to_list(iterations, count, prefix):
    items = _list("int", count, prefix)
    start = perf_counter_ns()
    for _ in range(iterations):
        list(items)
    return perf_counter_ns() - start


def index(iterations, count, prefix):
    items = _list("int", count, prefix)
    last = values("int", count)[-1]
    start = perf_counter_ns()
    for _ in range(iterations):
        items.index(last)
    return perf_counter_ns() - start


def count_(iterations, count, prefix):
    items = _list("int", count, prefix)
    last = values("int", count)[-1]
    start = perf_counter_ns()
    for _ in range(iterations):
        items.count(last)
    return perf_counter_ns() - start


SNIPPETS = {
    "list.get": get,
    "list.set": set_,
    "list.create": create,
    "list.attach": attach,
    "list.iterate": iterate,
    "list.to_list": to_list,
    "list.index": index,
    "list.count": count_,
}
