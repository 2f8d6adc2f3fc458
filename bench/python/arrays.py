"""numpy on the very elements that the rows of suites/array.ts work on."""

from time import perf_counter_ns

try:
    import numpy
except ImportError:
    numpy = None

from held import hold


def _array(name):
    return hold(name, lambda: numpy.load(f"/dev/shm/{name}", mmap_mode="r+"), lambda _: None)


def _timed(iterations, body):
    start = perf_counter_ns()
    for _ in range(iterations):
        body()
    return perf_counter_ns() - start


def reduce(iterations, name, kernel):
    return _timed(iterations, getattr(_array(name), kernel))


def dot(iterations, name, other):
    a, b = _array(name), _array(other)
    return _timed(iterations, lambda: a.dot(b))


def scale(iterations, name):
    a = _array(name)
    return _timed(iterations, lambda: numpy.multiply(a, -1.0, out=a))


def add(iterations, name, other):
    a, b = _array(name), _array(other)
    return _timed(iterations, lambda: numpy.add(a, b, out=a))


def copy(iterations, name, other, part):
    a, b = _array(name), _array(other)
    a, b = {"all": (a, b), "transposed": (a, b.T), "every second": (a[:, ::2], b[:, ::2])}[part]
    return _timed(iterations, lambda: numpy.copyto(a, b))


SNIPPETS = {
    "array.reduce": reduce,
    "array.dot": dot,
    "array.scale": scale,
    "array.add": add,
    "array.copy": copy,
}
