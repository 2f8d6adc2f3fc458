"""Who dies, and what becomes of what was theirs; children, who have nothing of their parents."""

import os
import signal

import bodies
import shmkit
from processes import fork, spawn, until
from scenario import enter, files, mutex, raises, scenario


@scenario
def a_child_does_not_have_its_parents_lock():
    shm = shmkit.SharedMemory.create(8)
    lock = mutex()
    guard = lock.lock()

    def child(peer):
        guard.unlock()  # not the child's: nothing happens
        assert lock.try_lock() is None
        raises(TimeoutError, lambda: lock.lock(0.01))
        raises(TimeoutError, lambda: enter(shm.txn(timeout=0.01)))
        raises(shmkit.ShmError, lambda: txn[0], "ERR_SHM_TXN_ENDED")
        peer.tell("waits")
        with lock.lock() as mine, shm.txn() as other:
            assert not mine.owner_died and not other.owner_died
            assert other[0] == 1, "the parent was done"

    with shm.txn() as txn:
        peer = fork(child)
        assert peer.hear() == "waits"
        until(lambda: bodies.somebody_waits("m"))
        txn[0] = 1
    guard.unlock()
    peer.end()
    with lock.lock() as guard:
        assert not guard.owner_died
    lock.unlink()
    shm.unlink()


@scenario
def a_child_that_ends_takes_nothing_along():
    """The parent keeps the lock whatever becomes of its child."""
    lock = mutex()
    with lock.lock():
        for end in (lambda peer: None, lambda peer: os.kill(os.getpid(), signal.SIGKILL)):
            pid = os.fork()
            if pid == 0:
                end(None)
                os._exit(0)
            os.waitpid(pid, 0)
            peer = spawn("hold", "m")
            until(lambda: bodies.somebody_waits("m"))
            raises(TimeoutError, lambda: other_process_gets(peer, 0.2))
            peer.kill()
    with lock.lock() as guard:
        assert not guard.owner_died
    lock.unlink()


def other_process_gets(peer, patience):
    if not peer.pipe.poll(patience):
        raise TimeoutError


@scenario
def the_next_is_told_of_a_death():
    lock = mutex()
    for start in (lambda: fork(bodies.hold, "m"), lambda: spawn("hold", "m")):
        peer = start()
        assert peer.hear() is False
        assert lock.try_lock() is None
        peer.kill()
        with lock.try_lock() as guard:
            assert guard.owner_died
        peer = start()
        assert peer.hear() is False, "a clean one in between"
        waiting = spawn("hold", "m")
        until(lambda: bodies.somebody_waits("m"))
        peer.kill()
        assert waiting.hear() is True
        waiting.tell("let go")
        assert waiting.hear() == "let go"
        waiting.end()
        with lock.lock() as guard:
            assert not guard.owner_died
    lock.unlink()


@scenario
def the_next_transaction_is_told_of_a_death():
    shm = shmkit.SharedMemory.create(8, name="s")
    peer = spawn("write", "s")
    assert peer.hear() is False
    peer.kill()
    with shm.txn(read_only=True) as txn:
        assert txn.owner_died
    with shm.txn() as txn:
        assert txn.owner_died, "who reads mends nothing"
        txn[0] = 0
    with shm.txn() as txn:
        assert not txn.owner_died
    peer = spawn("read", "s")
    assert peer.hear() is False
    peer.kill()
    with shm.txn(timeout=20) as txn:
        assert not txn.owner_died, "who reads breaks nothing"
    shm.unlink()


@scenario
def what_a_dead_process_owned_goes():
    """There is no tracker in Python: the next process that makes something looks."""
    peer = spawn("make_and_vanish", "left")
    assert peer.hear() == "made"
    peer.end()
    assert files() == ["left", "left-event", "left-mutex", "left.lk"]
    shmkit.SharedMemory.create(8).unlink()
    assert files() == [], files()
    kept = shmkit.SharedMutex.create_or_attach("kept", track=False)
    with shmkit.SharedMemory.create(8) as shm:
        shm.unlink()
    assert files() == ["kept"]
    kept.unlink()
