"""The other process of the tracker's rows: as owner.js, in Python."""

import json
import sys
from multiprocessing import resource_tracker  # noqa: F401 (importing it is not the first create's)
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter_ns

SIZE = 4096


def main(count):
    start = perf_counter_ns()
    first = SharedMemory(create=True, size=SIZE)
    ns = perf_counter_ns() - start

    made = [first]
    while len(made) < count:
        made.append(SharedMemory(create=True, size=SIZE))
    for shm in made:
        shm.close()  # what is owned is the name
    print(json.dumps({"ns": ns, "name": first.name}), flush=True)

    sys.stdin.read()
    for shm in made:
        shm.unlink()


main(int(sys.argv[1]))
