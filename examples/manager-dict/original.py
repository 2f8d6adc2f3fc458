"""The same by a Manager's dict: `python3 examples/manager-dict/original.py`."""

import os
import time
from multiprocessing import Manager, Pool

TASKS = 2000


def work(shared):
    key = str(os.getpid())
    # Safe because each process has a key of its own; there is no increment that would be safe otherwise.
    shared[key] = shared.get(key, 0) + 1


if __name__ == "__main__":
    with Manager() as manager, Pool(4) as pool:
        shared = manager.dict()
        pool.map(work, [shared] * 4)  # all of them are there

        began = time.perf_counter()
        pool.map(work, [shared] * TASKS)
        took = time.perf_counter() - began

        for pid, count in shared.items():
            print(f"process {pid} wrote {count} times")
        print(f"{sum(shared.values()) - 4} in {took * 1000:.0f} ms")
