"""The Python worker: the same resamples with numpy, on the same memory; and the same work by multiprocessing.

`python3 flights.py check` or `compare`. The job comes as one line of JSON on standard input, which then stays open for
as long as the parent lives. Arrays are .npy files in shared memory: numpy opens them in place, with no library at all.
"""

import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C does, and ends its children

import numpy as np  # noqa: E402 (it takes a while, and Ctrl-C may come meanwhile)

CHUNK = 1 << 16  # draws at a time: the arrays on the way stay in the processor's cache


def shared(descriptor, mode="r"):
    return np.load("/dev/shm/" + descriptor["name"], mmap_mode=mode)


def mix(x):
    """Scrambles 32 bits, in place, as `mix` in bootstrap.ts."""
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def resample_means(delay, band, bands, resample):
    rows = len(delay)
    first, second = mix(np.array([2 * resample + 1, 2 * resample + 2], np.uint32))
    sums = np.zeros(bands)
    counts = np.zeros(bands)
    for start in range(0, rows, CHUNK):
        draws = np.arange(start, min(start + CHUNK, rows), dtype=np.uint32)
        random = mix(mix(draws ^ first) ^ second)
        flights = (random * (rows / 2**32)).astype(np.intp)
        drawn = band[flights]
        sums += np.bincount(drawn, weights=delay[flights], minlength=bands)
        counts += np.bincount(drawn, minlength=bands)
    with np.errstate(invalid="ignore"):  # a band that nothing was drawn from: NaN
        return sums / counts


def check(job):
    """The first resamples again, into an array of their own."""
    delay, band = shared(job["delay"]), shared(job["band"])
    means = shared(job["means"], "r+")
    for resample in range(len(means)):
        means[resample] = resample_means(delay, band, means.shape[1], resample)


def compare(job):
    """Workers of multiprocessing's, which get the columns as arguments. Seconds, and bytes of memory added."""
    delay, band = np.array(shared(job["delay"])), np.array(shared(job["band"]))
    workers, bands, resamples = job["workers"], job["bands"], job["resamples"]
    with multiprocessing.Pool(workers, initializer=end_with_parent_process) as pool:
        pids = [child.pid for child in multiprocessing.active_children()]
        pool.map(abs, range(workers), 1)
        before = pss(pids)
        start = time.perf_counter()
        sums = pool.map(total, [(delay, band)] * workers, 1)
        read = time.perf_counter() - start
        after = pss(pids)
        parts = [range(worker, resamples, workers) for worker in range(workers)]
        start = time.perf_counter()
        pool.map(resample_part, [(delay, band, bands, part) for part in parts], 1)
        resampled = time.perf_counter() - start
    print(json.dumps({"sums": sums, "read": read, "resampled": resampled, "memory": after - before}))


def total(columns):
    return int(sum(column.sum(dtype=np.int64) for column in columns))


def resample_part(job):
    delay, band, bands, resamples = job
    return [resample_means(delay, band, bands, resample) for resample in resamples]


def pss(pids):
    """The memory that these processes and this one use, shared pages once, as Linux counts it."""
    sizes = 0
    for pid in [os.getpid(), *pids]:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            sizes += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return 1024 * sizes


def end_with_parent_process():
    """Ends this process when the one that forked it is gone."""

    def wait():
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def end_with_input():
    """Ends this process when the other end of standard input closes."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    {"check": check, "compare": compare}[sys.argv[1]](job)
