"""What each class does, and how it fails."""

import ast
import gc
import time
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import bodies
import shmkit
from processes import fork, spawn, until
from scenario import enter, files, mutex, raises, scenario


@scenario
def the_basics_of_a_mutex():
    lock = mutex()
    assert (lock.name, lock.closed) == ("m", False)
    guard = lock.lock()
    assert guard.owner_died is False and lock.try_lock() is None
    guard.unlock()
    guard.unlock()
    with lock.try_lock() as guard:
        assert shmkit.SharedMutex.attach("m").try_lock() is None
    guard.unlock()
    with shmkit.SharedMutex.attach("m") as other:
        with other.lock(timeout=1):
            pass
    assert other.closed
    raises(shmkit.ShmError, other.lock, "ERR_SHM_CLOSED")
    lock.unlink()
    assert raises(FileNotFoundError, lock.unlink, "ENOENT").filename == "m"
    with lock.lock():
        lock.close()  # does not disturb who has it
    lock.close()


@scenario
def the_basics_of_a_segment():
    shm = shmkit.SharedMemory.create(16, name="s")
    assert (shm.name, shm.size, len(shm), shm.read_only, shm.closed) == ("s", 16, 16, False, False)
    with shm.txn() as txn:
        assert (len(txn), txn.read_only, txn.owner_died) == (16, False, False)
        txn[0] = 255
        txn[-1] = 1
        txn[1:4] = bytearray(b"abc")
        txn[4:8] = memoryview(b"a-b-c-d-")[::2]
        txn.write(b"end", 12)
        assert txn[:] == b"\xffabcabcd\0\0\0\0end\x01"
        assert txn[3:0:-1] == b"cba" and txn[5:5] == b"" and txn[-1] == 1
        txn[8:12:3] = b"XY"
        assert txn[8:12] == b"X\0\0Y"
        for index in (16, -17, 1 << 70):
            raises((IndexError, TypeError), lambda index=index: txn[index])
        raises(ValueError, lambda: txn.__setitem__(slice(0, 2), b"abc"))
        raises(OverflowError, lambda: txn.__setitem__(0, 256))
        raises(TypeError, lambda: txn.__setitem__(slice(0, 2), "ab"))
        raises(IndexError, lambda: txn.write(b"abc", 14))
    raises(shmkit.ShmError, lambda: txn[0], "ERR_SHM_TXN_ENDED")
    raises(shmkit.ShmError, lambda: txn.write(b"x"), "ERR_SHM_TXN_ENDED")
    raises(shmkit.ShmError, lambda: enter(txn), "ERR_SHM_TXN_ENDED")
    with shmkit.SharedMemory.attach("s", read_only=True) as reader:
        raises(shmkit.ShmError, reader.txn, "ERR_SHM_READ_ONLY")
        with reader.txn(read_only=True) as txn:
            assert txn[1:4] == b"abc"
            raises(shmkit.ShmError, lambda: txn.__setitem__(0, 1), "ERR_SHM_READ_ONLY")
    assert files() == ["s", "s.lk"]
    shm.adopt()
    shm.close()
    raises(shmkit.ShmError, shm.txn, "ERR_SHM_CLOSED")
    shm.unlink()


@scenario
def errors_are_pythons():
    raises(FileNotFoundError, lambda: shmkit.SharedMemory.attach("none"), "ENOENT")
    with shmkit.SharedMemory.create(8, name="s") as shm:
        raises(FileExistsError, lambda: shmkit.SharedMemory.create(8, name="s"), "EEXIST")
        raises(shmkit.ShmError, lambda: shmkit.SharedMutex.attach("s"), "ERR_SHM_NOT_A_LOCK")
        raises(shmkit.ShmError, lambda: shmkit.SharedEvent.attach("s"), "ERR_SHM_NOT_A_LOCK")
        raises(ValueError, lambda: shm.txn(timeout=-1))
        raises(ValueError, lambda: shm.txn(timeout=float("nan")))
        shm.unlink()
    with shmkit.SharedMemory.create(8, name="s") as shm:
        shm.unlink()
        raises(shmkit.ShmError, shm.txn, "ERR_SHM_UNLINKED")
    raises(shmkit.ShmError, lambda: shmkit.SharedMutex.attach("a/b"), "ERR_SHM_NAME")
    raises(ValueError, lambda: shmkit.SharedMemory.create(0))
    raises(TypeError, lambda: shmkit.SharedMutex.attach(1))


@scenario
def an_event_is_seen_by_others():
    event = shmkit.SharedEvent.create_or_attach("e")
    assert not event.is_set() and event.wait(timeout=0) is False
    began = time.monotonic()
    assert event.wait(0.05) is False and time.monotonic() - began >= 0.05
    for start in (lambda: fork(bodies.wait_for_event, "e"), lambda: spawn("wait_for_event", "e")):
        event.set()
        event.clear()  # and nobody is said to sleep
        peer = start()
        assert peer.hear() == "ready"
        until(lambda: bodies.word("e") & 2)  # it sleeps
        event.set()
        event.clear()  # it was set, if only for a moment
        assert peer.hear() is True
        peer.end()
    event.set()
    assert event.is_set() and event.wait() is True
    event.unlink()
    event.close()
    raises(shmkit.ShmError, event.wait, "ERR_SHM_CLOSED")


@scenario
def an_exception_leaves_it_inconsistent():
    lock, shm = mutex(), shmkit.SharedMemory.create(8)

    def fail(context):
        with context:
            raise KeyError("in the middle")

    raises(KeyError, lambda: fail(lock.lock()))
    assert lock.lock().owner_died  # and is forgotten, which is as bad
    gc.collect()
    with lock.lock() as guard:
        assert guard.owner_died
    with lock.lock() as guard:
        assert not guard.owner_died
    raises(KeyError, lambda: fail(shm.txn()))
    with shm.txn() as txn:
        assert txn.owner_died
    raises(KeyError, lambda: fail(shm.txn(read_only=True)))
    with shm.txn() as txn:
        assert not txn.owner_died
    lock.unlink()
    shm.unlink()


@scenario
def who_waits_for_himself_is_told():
    lock, shm = mutex(), shmkit.SharedMemory.create(8, name="s")
    std = shared_memory.SharedMemory(name="s")
    resource_tracker.unregister(std._name, "shared_memory")
    with lock.lock(), shm.txn():
        raises(shmkit.DeadlockError, lock.lock, "ERR_SHM_DEADLOCK")
        raises(shmkit.DeadlockError, lambda: lock.lock(1), "ERR_SHM_DEADLOCK")
        with shmkit.SharedMutex.attach("m") as other:
            raises(shmkit.DeadlockError, other.lock, "ERR_SHM_DEADLOCK")
        for same in (std, shm, "s"):
            for read_only in (False, True):
                raises(shmkit.DeadlockError, lambda: enter(shmkit.txn(same, read_only=read_only)))
    assert isinstance(raises(shmkit.ShmError, lambda: nested(lock)), shmkit.DeadlockError)
    with lock.lock() as guard:
        assert guard.owner_died, "an exception, as any other"
    std.close()
    lock.unlink()
    shm.unlink()


def nested(lock):
    with lock.lock(), lock.lock():
        pass


@scenario
def the_stub_says_what_there_is():
    folder = Path(shmkit.__file__).parent
    assert (folder / "py.typed").exists()
    tree = ast.parse((folder / "__init__.pyi").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    public = set(shmkit.__all__)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants = {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert public == {name for name in classes if not name.startswith("_")} | functions | constants
    for name in public & set(classes):
        stub = {node.name for node in classes[name].body if isinstance(node, ast.FunctionDef)}
        real = vars(getattr(shmkit, name))
        missing = {member for member in real if not member.startswith("_")} - stub
        assert not missing and stub <= set(real), (name, missing, stub - set(real))
