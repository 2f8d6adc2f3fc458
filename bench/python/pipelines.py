"""The map of the suite `pipeline` as users of joblib have it: numpy on chunks, in worker processes that stay."""

from time import perf_counter_ns

try:
    import joblib
    import numpy
except ImportError:
    joblib = None

from held import hold


def waves(part):
    return numpy.sin(part) * numpy.sqrt(part)


class _Map:
    def __init__(self, count, workers, chunks):
        self.input = numpy.arange(count) * 7919 % 100003 / 1000
        self.chunks = chunks
        self.parallel = joblib.Parallel(n_jobs=workers).__enter__()
        expected = waves(self.input)
        if not numpy.array_equal(self.run(), expected):
            raise ValueError("joblib gives something else")

    def run(self):
        parts = numpy.array_split(self.input, self.chunks)
        return numpy.concatenate(self.parallel(joblib.delayed(waves)(part) for part in parts))

    def close(self):
        self.parallel.__exit__(None, None, None)
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def map_(iterations, count, workers, chunks):
    mapped = hold(("joblib", count, workers, chunks), lambda: _Map(count, workers, chunks), _Map.close)
    start = perf_counter_ns()
    for _ in range(iterations):
        mapped.run()
    return perf_counter_ns() - start


SNIPPETS = {"pipeline.joblib": map_}
