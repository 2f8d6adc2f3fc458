"""Forks in the middle of anything, and many kills."""

import os
import random
import struct
import threading
import time
import warnings

import bodies
import shmkit
from processes import PATIENCE, fork, spawn
from scenario import TIMES, mutex, scenario

# Python 3.12 and newer say that a child of a process with threads may hang. Here it must not.
warnings.simplefilter("ignore", DeprecationWarning)


@scenario
def a_child_of_many_threads_is_free():
    """The threads are not in the child, and may have had anything at that moment."""
    lock, shm = mutex(), shmkit.SharedMemory.create(8, name="s")
    stop = threading.Event()

    def work():
        while not stop.is_set():
            with lock.lock(), shm.txn(read_only=True):
                pass

    def child(peer):
        with lock.lock(timeout=20) as guard, shm.txn(timeout=20) as txn:
            assert not guard.owner_died
            bodies.add(txn)
        shmkit.SharedMutex.create_or_attach("m").lock(timeout=20).unlock()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = [fork(child) for _ in range(20)]
    for each in children:
        each.end()
    stop.set()
    for thread in threads:
        thread.join()
    assert bodies.total(shm) == 20
    lock.unlink()
    shm.unlink()


@scenario
def a_child_does_not_keep_its_parent_alive():
    """Forked while other threads open locks: no slot of the parent's is held when it is dead."""
    lock = mutex()
    stat = os.stat("/dev/shm/m")
    file_id = f" {os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino} "

    def parent(peer):
        def open_and_close():
            while True:
                [shmkit.SharedMutex.attach("m") for _ in range(20)]

        threading.Thread(target=open_and_close, daemon=True).start()
        peer.tell([fork(lambda peer: time.sleep(PATIENCE)).pid for _ in range(20)])
        peer.hear()

    def slots():
        with open("/proc/locks") as file:
            return sum("OFDLCK" in line and file_id in line for line in file)

    for _ in range(8):
        peer = fork(parent)
        grandchildren = peer.hear()
        peer.kill()
        try:
            assert slots() == 1, "ours alone"
        finally:
            for pid in grandchildren:
                os.kill(pid, 9)
    lock.unlink()


@scenario
def kills_lose_nothing():
    """Who is killed in the middle leaves two numbers that differ, and the next one knows."""
    shm = shmkit.SharedMemory.create(16, name="s")
    with shm.txn():
        pass

    def step(txn, mend):
        a, b = struct.unpack("=qq", txn[:16])
        assert a == b or txn.owner_died, "torn, and nobody said so"
        if mend:
            txn.write(struct.pack("=q", max(a, b) + 1))
            txn.write(struct.pack("=q", max(a, b) + 1), 8)
        assert mend or struct.unpack("=qq", txn[:16]) == (a, b), "changed while it was read"

    def work(peer):
        while True:
            read_only = random.random() < 0.4
            try:
                timeout = random.choice((20, 0.002))
                with shm.txn(read_only=read_only, timeout=timeout) as txn:
                    step(txn, not read_only)
            except TimeoutError:
                assert timeout < 20, "nobody came by for long"

    peers = [fork(work) for _ in range(4)]
    for _ in range(150):
        any_moment = random.random() * 0.01
        time.sleep(any_moment)
        at = random.randrange(len(peers))
        peers[at].kill()
        peers[at] = fork(work)
    for peer in peers:
        peer.kill()
    with shm.txn(timeout=5) as txn:
        step(txn, True)
    last = spawn("count_by_txn", "s", TIMES)
    assert last.hear() == "ready"
    last.tell("go")
    last.end()
    shm.unlink()
