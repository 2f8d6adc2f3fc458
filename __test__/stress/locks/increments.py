"""`increments.py NAME COUNT`: adds 1 that many times inside a mutex, and as often inside txns."""
import sys

import shmkit

name, count = sys.argv[1], int(sys.argv[2])
shm = shmkit.SharedMemory.attach(name)
mutex = shmkit.SharedMutex.attach(f"{name}-mutex")


def add(txn, word):
    at = slice(4 * word, 4 * word + 4)
    txn[at] = (int.from_bytes(txn[at], sys.byteorder) + 1).to_bytes(4, sys.byteorder)


class Plain:
    """The segment's bytes without a txn: the mutex guards them."""

    def __init__(self, path):
        import mmap

        with open(path, "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), 0)

    __getitem__ = lambda self, at: self.bytes[at]

    def __setitem__(self, at, value):
        self.bytes[at] = value


plain = Plain(f"/dev/shm/{name}")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(count):
    with mutex.lock():
        add(plain, 0)
    with shm.txn() as txn:
        add(txn, 1)
