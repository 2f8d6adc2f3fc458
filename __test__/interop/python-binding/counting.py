"""Nothing gets lost, whoever counts: processes, children of theirs, threads."""

import threading

import bodies
import shmkit
from processes import fork, spawn
from scenario import TIMES, mutex, scenario


@scenario
def increments_add_up():
    """Two processes, forked and spawned, by a mutex and by transactions."""
    shm = shmkit.SharedMemory.create(8, name="s")
    with mutex() as lock, shm:
        count(lambda *args: fork(bodies.count_by_mutex, *args), "m", "m", "s", TIMES)
        count(lambda *args: spawn("count_by_mutex", *args), "m", "m", "s", TIMES)
        assert bodies.total(shm) == 4 * TIMES
        count(lambda *args: fork(bodies.count_by_txn, *args), "s", "s", TIMES)
        count(lambda *args: spawn("count_by_txn", *args), "s", "s", TIMES)
        assert bodies.total(shm) == 8 * TIMES
        lock.unlink()
        shm.unlink()


def count(start, name, *args):
    peers = [start(*args) for _ in range(2)]
    for peer in peers:
        assert peer.hear() == "ready"
    for peer in peers:
        peer.tell("go")
    for peer in peers:
        peer.end()


@scenario
def inherited_handles_count_too():
    """Children, and theirs, that go on with what their parent had open."""
    shm = shmkit.SharedMemory.create(8, name="s")
    with shm.txn():
        pass

    def work(peer, deeper):
        below = fork(work, deeper - 1) if deeper else None
        for _ in range(TIMES // 2):
            with shm.txn() as txn:
                bodies.add(txn)
        if below:
            below.end()

    peers = [fork(work, 2), fork(work, 0)]
    for _ in range(TIMES // 2):
        with shm.txn() as txn:
            bodies.add(txn)
    for peer in peers:
        peer.end()
    assert bodies.total(shm) == 5 * (TIMES // 2)
    shm.unlink()


@scenario
def a_pool_of_workers_counts():
    """multiprocessing itself, by fork and by spawn."""
    import multiprocessing

    for method in ("fork", "spawn"):
        shm = shmkit.SharedMemory.create(8, name="s")
        context = multiprocessing.get_context(method)
        workers = [context.Process(target=work_of_a_pool, args=("s",)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        assert bodies.total(shm) == 2 * 500
        shm.unlink()
        shm.close()


def work_of_a_pool(name):
    with shmkit.SharedMemory.attach(name) as shm:
        for _ in range(500):
            with shm.txn() as txn:
                bodies.add(txn)


@scenario
def threads_share_a_handle():
    shm, lock = shmkit.SharedMemory.create(16, name="s"), mutex()
    numbers = bodies.bytes_of(shm)
    other = spawn("count_by_mutex", "m", "s", TIMES)
    assert other.hear() == "ready"
    failures = []

    def work():
        try:
            for _ in range(TIMES // 4):
                with lock.lock() as guard:
                    assert not guard.owner_died
                    before = numbers[0]
                    with shm.txn() as txn:
                        bodies.add(txn, 8)
                    numbers[0] = before + 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    other.tell("go")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.end()
    assert not failures, failures
    assert (numbers[0], numbers[1]) == (2 * TIMES, TIMES)
    lock.unlink()
    shm.unlink()
