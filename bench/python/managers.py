"""multiprocessing.managers.SharedMemoryManager, as a user would write it."""

from multiprocessing import resource_tracker
from multiprocessing.managers import SharedMemoryManager, dispatch
from time import perf_counter_ns, sleep

from held import hold

# Two looks that far apart show the same.
SETTLED = 0.1


def start(iterations, size=None):
    """With a size, until the first segment is there."""
    total = 0
    for _ in range(iterations):
        began = perf_counter_ns()
        manager = SharedMemoryManager()
        manager.start()
        if size is not None:
            manager.SharedMemory(size)
        total += perf_counter_ns() - began
        manager.shutdown()
    return total


def _started():
    manager = SharedMemoryManager()
    manager.start()
    return manager


def create(iterations, size):
    manager = hold("manager", _started, lambda manager: manager.shutdown())
    names = []
    began = perf_counter_ns()
    for _ in range(iterations):
        shm = manager.SharedMemory(size)
        shm.close()
        names.append(shm.name)
    elapsed = perf_counter_ns() - began
    _release(manager, names)
    return elapsed


def names(iterations, count):
    manager = hold("manager", _started, lambda manager: manager.shutdown())
    made = [manager.SharedMemory(1) for _ in range(count)]
    total = 0
    began = perf_counter_ns()
    for _ in range(iterations):
        total += len(_ask(manager, "list_segments"))
    elapsed = perf_counter_ns() - began
    assert total == count * iterations, "a list that is too short"
    for shm in made:
        shm.close()
    _release(manager, [shm.name for shm in made])
    return elapsed


def _ask(manager, method, *args):
    with manager._Client(manager.address, authkey=manager._authkey) as connection:
        return dispatch(connection, None, method, args)


def _release(manager, names):
    for name in names:
        _ask(manager, "release_segment", name)


def memory(_iterations, count):
    """Bytes that the server process has in memory, once it is at rest."""
    manager = _started()
    made = [manager.SharedMemory(4096) for _ in range(count)]
    before = None
    while before != (before := _resident(manager._process.pid)):
        sleep(SETTLED)
    for shm in made:
        shm.close()
    manager.shutdown()
    return before


def _resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


SNIPPETS = {
    "manager.start": start,
    "manager.create": create,
    "manager.names": names,
    "manager.memory": memory,
}

# It is started here, and not in what is timed.
resource_tracker.ensure_running()
