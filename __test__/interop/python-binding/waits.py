"""How waits end: in time, by a signal, in a child that a signal's handler forked."""

import os
import signal
import threading
import time

import bodies
import shmkit
from processes import fork, spawn, until
from scenario import enter, mutex, raises, scenario


@scenario
def waits_end_in_time():
    lock, shm = mutex(), shmkit.SharedMemory.create(8, name="s")
    holder, writer = spawn("hold", "m"), spawn("write", "s")
    assert (holder.hear(), writer.hear()) == (False, False)
    for action in (
        lambda timeout: lock.lock(timeout),
        lambda timeout: enter(shm.txn(timeout=timeout)),
        lambda timeout: enter(shm.txn(read_only=True, timeout=timeout)),
    ):
        for timeout in (0, 0.001, 0.1):
            began = time.monotonic()
            raises(TimeoutError, lambda: action(timeout), "ERR_SHM_TIMEOUT")
            assert timeout <= time.monotonic() - began < timeout + 10
    for peer in (holder, writer):
        peer.tell("let go")
        assert peer.hear() == "let go"
        peer.end()
    assert bodies.word("m") & ~bodies.WAITERS == 0, "nobody is left behind"
    with lock.lock(timeout=0), shm.txn(timeout=0):
        pass
    lock.unlink()
    shm.unlink()


@scenario
def ctrl_c_ends_a_wait():
    lock = mutex()
    with lock.lock():
        peer = spawn("wait_for_mutex", "m")
        assert peer.hear() == "ready"
        until(lambda: bodies.somebody_waits("m"))
        os.kill(peer.pid, signal.SIGINT)
        assert peer.hear() == "interrupted"
    with lock.lock(timeout=5) as guard:
        assert not guard.owner_died
    peer.tell("go on")
    assert peer.hear() == "locked"
    peer.end()
    lock.unlink()


class Interrupted(Exception):
    pass


@scenario
def signals_are_heard_in_every_wait():
    """Also where one waits for another thread of the same process, and for an event."""
    lock, event = mutex(), shmkit.SharedEvent.create_or_attach("e")
    heard = 0

    def handler(*_):
        nonlocal heard
        heard += 1
        # One or two can come before the wait; the rest is heard in it, or never.
        if heard == 10:
            raise Interrupted

    signal.signal(signal.SIGALRM, handler)
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock.lock():
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    for wait in (lock.lock, event.wait):
        heard = 0
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        try:
            raises(Interrupted, wait)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    done.set()
    thread.join()
    with lock.lock(timeout=5) as guard:
        assert not guard.owner_died
    lock.unlink()
    event.unlink()


@scenario
def a_handler_that_forks_in_a_wait():
    """Parent and child go on waiting, each for itself; a handler that locks what its thread waits for is told."""
    shm, lock = shmkit.SharedMemory.create(8, name="s"), mutex()
    holder = spawn("write", "s")
    assert holder.hear() is False
    child = None

    def handler(*_):
        nonlocal child
        raises(shmkit.DeadlockError, lambda: enter(shm.txn()), "ERR_SHM_DEADLOCK")
        child = os.fork()
        if child:
            holder.tell("let go")

    signal.signal(signal.SIGALRM, handler)

    def disturb():
        until(lambda: bodies.somebody_waits("s.lk"))
        os.kill(os.getpid(), signal.SIGALRM)

    waiter = threading.Thread(target=disturb)
    waiter.start()
    with shm.txn() as txn:
        bodies.add(txn)
    if child == 0:
        os._exit(0)
    waiter.join()
    assert os.waitpid(child, 0)[1] == 0
    assert holder.hear() == "let go"
    holder.end()
    with shm.txn() as txn:
        assert txn[0] == 3 and not txn.owner_died
    shm.unlink()
    lock.unlink()
