"""What the processes do that scenarios start: with a peer, and arguments that are strings where they are spawned."""

import os
import struct

import shmkit
from processes import spawned

WORD = 64
WAITERS = 1 << 31


def word(name):
    """The lock's word, which says whether somebody waits."""
    with open(f"/dev/shm/{name}", "rb") as file:
        file.seek(WORD)
        return struct.unpack("=I", file.read(4))[0]


def somebody_waits(name):
    return word(name) & WAITERS != 0


def add(txn, at=0):
    """One more, in more than one step."""
    txn.write(struct.pack("=q", struct.unpack("=q", txn[at : at + 8])[0] + 1), at)


def total(shm, at=0):
    with shm.txn(read_only=True) as txn:
        return struct.unpack("=q", txn[at : at + 8])[0]


def count_by_mutex(peer, mutex, memory, times):
    """Adds to memory that no lock of its own guards."""
    with shmkit.SharedMutex.attach(mutex) as lock, shmkit.SharedMemory.attach(memory) as shm:
        numbers = bytes_of(shm)
        peer.tell("ready")
        assert peer.hear() == "go"
        for _ in range(int(times)):
            with lock.lock() as guard:
                assert not guard.owner_died
                numbers[0] += 1


def bytes_of(shm):
    """The segment's memory as 64-bit numbers, without numpy."""
    return shm.__array_interface__["data"].cast("B").cast("q")


def count_by_txn(peer, memory, times):
    with shmkit.SharedMemory.attach(memory) as shm:
        peer.tell("ready")
        assert peer.hear() == "go"
        for _ in range(int(times)):
            with shm.txn() as txn:
                assert not txn.owner_died
                add(txn)


def hold(peer, mutex):
    """Has the mutex until it is told to let go, or is killed."""
    with shmkit.SharedMutex.attach(mutex) as lock, lock.lock() as guard:
        peer.tell(guard.owner_died)
        assert peer.hear() == "let go"
    peer.tell("let go")


def write(peer, memory):
    """The same of a transaction."""
    with shmkit.SharedMemory.attach(memory) as shm, shm.txn() as txn:
        peer.tell(txn.owner_died)
        txn[0] = 1
        assert peer.hear() == "let go"
    peer.tell("let go")


def read(peer, memory):
    """The same of one that reads."""
    with shmkit.SharedMemory.attach(memory, read_only=True) as shm, shm.txn(read_only=True) as txn:
        peer.tell(txn.owner_died)
        assert peer.hear() == "let go"
        assert txn[0] == 0
    peer.tell("let go")


def wait_for_mutex(peer, mutex):
    """Waits in the main thread until it is interrupted."""
    with shmkit.SharedMutex.attach(mutex) as lock:
        peer.tell("ready")
        try:
            lock.lock()
        except KeyboardInterrupt:
            peer.tell("interrupted")
        assert peer.hear() == "go on"
        with lock.lock():  # the handle is as good as before
            peer.tell("locked")


def wait_for_event(peer, name):
    with shmkit.SharedEvent.attach(name) as event:
        peer.tell("ready")
        peer.tell(event.wait())


def wait_for_item(peer, name):
    with shmkit.SharedQueue.attach(name) as queue:
        interrupted_in(peer, queue.pop)


def wait_for_room(peer, name):
    with shmkit.SharedQueue.attach(name) as queue:
        interrupted_in(peer, lambda: queue.push(bytes(8)))


def wait_for_broadcast(peer, name):
    with shmkit.SharedBroadcast.attach(name) as broadcast, broadcast.subscribe() as subscription:
        interrupted_in(peer, subscription.next)


def wait_to_publish(peer, name):
    with shmkit.SharedBroadcast.attach(name) as broadcast:
        broadcast.publish(bytes(8))
        interrupted_in(peer, lambda: broadcast.publish(bytes(8)))


def interrupted_in(peer, wait):
    """Waits in the main thread until it is interrupted, and then once more."""
    peer.tell("ready")
    try:
        wait()
    except KeyboardInterrupt:
        peer.tell("interrupted")
    wait()
    peer.tell("went on")


def make_and_vanish(peer, name):
    """Leaves a segment with its lock, a mutex and an event to whoever comes next."""
    shm = shmkit.SharedMemory.create(8, name=name)
    with shm.txn() as txn:
        txn[0] = 1
    shmkit.SharedMutex.create_or_attach(f"{name}-mutex")
    shmkit.SharedEvent.create_or_attach(f"{name}-event")
    peer.tell("made")
    os._exit(0)


if __name__ == "__main__":
    spawned(globals())
