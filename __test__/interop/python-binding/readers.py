"""Those who read, beside each other and beside those who write."""

import threading

import bodies
import shmkit
from processes import fork, spawn, until
from scenario import enter, mutex, raises, scenario


@scenario
def those_who_read_do_so_side_by_side():
    shm = shmkit.SharedMemory.create(8, name="s")
    readers = [spawn("read", "s"), fork(bodies.read, "s")]
    assert [peer.hear() for peer in readers] == [False, False]
    with shm.txn(read_only=True, timeout=0):
        raises(shmkit.DeadlockError, lambda: enter(shm.txn()), "ERR_SHM_DEADLOCK")
        with shm.txn(read_only=True):
            pass
    raises(TimeoutError, lambda: enter(shm.txn(timeout=0)))
    raises(TimeoutError, lambda: enter(shm.txn(timeout=0.1)))
    for peer in readers:
        peer.tell("let go")
        assert peer.hear() == "let go"
        peer.end()
    with shm.txn(timeout=0):
        late = fork(bodies.read, "s")
        until(lambda: bodies.somebody_waits("s.lk"))
    assert late.hear() is False
    writer = spawn("write", "s")
    until(lambda: bodies.word("s.lk") != 0)  # it has the word, and waits for who reads
    late.tell("let go")
    assert late.hear() == "let go"
    assert writer.hear() is False
    raises(TimeoutError, lambda: enter(shm.txn(read_only=True, timeout=0)))
    writer.tell("let go")
    assert writer.hear() == "let go"
    for peer in (late, writer):
        peer.end()
    shm.unlink()


@scenario
def threads_read_side_by_side():
    shm = shmkit.SharedMemory.create(8, name="s")
    together = threading.Barrier(3, timeout=20)
    failures = []

    def read():
        try:
            with shm.txn(read_only=True):
                together.wait()  # all three are inside
                together.wait()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    with shm.txn(read_only=True):
        together.wait()
        writer = spawn("write", "s")
        until(lambda: bodies.word("s.lk") != 0)
        together.wait()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert writer.hear() is False
    # A thread that writes waits for the process, and those who read wait for both.
    began, order = threading.Event(), []

    def write():
        began.set()
        with shm.txn() as txn:
            order.append("write")
            txn[0] = 0

    thread = threading.Thread(target=write)
    thread.start()
    began.wait()
    writer.tell("let go")
    with shm.txn(read_only=True):
        order.append("read")
    thread.join()
    assert sorted(order) == ["read", "write"]
    writer.end()
    shm.unlink()


@scenario
def a_guard_may_be_let_go_of_elsewhere():
    lock = mutex()
    guard = lock.lock()
    thread = threading.Thread(target=guard.unlock)
    thread.start()
    thread.join()
    with lock.lock(timeout=0) as guard:
        assert not guard.owner_died
    lock.unlink()
