"""The Python worker: worker.ts with numpy, on the same segments.

Its job comes as one line of JSON on standard input, which then stays open for as long as the parent lives.
"""

import json
import os
import signal
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList, SharedMemory

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C does, and ends its children

import numpy as np  # noqa: E402 (it takes a while, and Ctrl-C may come meanwhile)

CHUNK = 1 << 16  # draws at a time: the arrays on the way stay in the processor's cache


def untrack(shm):
    """Python's resource tracker would remove the segment when this process ends; it is the parent's."""
    resource_tracker.unregister(shm._name, "shared_memory")


def attach(descriptor):
    if sys.version_info >= (3, 13):
        return SharedMemory(descriptor["name"], track=False)
    shm = SharedMemory(descriptor["name"])
    untrack(shm)
    return shm


def attach_list(descriptor):
    board = ShareableList(name=descriptor["name"])  # takes no track=False, in no version
    untrack(board.shm)
    return board


def end_with_parent():
    """Ends this process when the parent's end of standard input closes."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def mix(x):
    """Scrambles 32 bits, in place, as `mix` in bootstrap.ts."""
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def resample_means(delay, distance, band_of, bands, resample):
    rows = len(delay)
    first, second = mix(np.array([2 * resample + 1, 2 * resample + 2], np.uint32))
    sums = np.zeros(bands)
    counts = np.zeros(bands)
    for start in range(0, rows, CHUNK):
        draws = np.arange(start, min(start + CHUNK, rows), dtype=np.uint32)
        random = mix(mix(draws ^ first) ^ second)
        flights = (random * (rows / 2**32)).astype(np.intp)
        band = band_of[distance[flights]]
        sums += np.bincount(band, weights=delay[flights], minlength=bands)
        counts += np.bincount(band, minlength=bands)
    with np.errstate(invalid="ignore"):  # a band that nothing was drawn from: NaN
        return sums / counts


def work(job, delay_shm, distance_shm, results_shm, board):
    starts = np.array(job["bandStarts"])
    bands = len(starts)
    delay = np.frombuffer(delay_shm.buf, np.int16)
    distance = np.frombuffer(distance_shm.buf, np.uint16)
    results = np.frombuffer(results_shm.buf, np.float64).reshape(-1, bands)
    band_of = np.searchsorted(starts, np.arange(1 << 16), side="right") - 1

    row = 3 * job["worker"]  # process id, resamples done, state: as in board.ts
    board[row] = os.getpid()
    board[row + 2] = "working"
    done = 0
    for resample in range(job["first"], job["end"], job["step"]):
        means = resample_means(delay, distance, band_of, bands, resample)
        results[job["firstRow"] + resample] = means
        done += 1
        board[row + 1] = done
    board[row + 2] = "done"


def main():
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    shms = [attach(job[name]) for name in ("delay", "distance", "results")]
    board = attach_list(job["board"])
    work(job, *shms, board)  # in a function: no array may still use a segment when it is closed
    for shm in (*shms, board.shm):
        shm.close()


if __name__ == "__main__":
    main()
