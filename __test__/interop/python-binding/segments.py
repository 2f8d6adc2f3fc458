"""The standard library's segments, their locks, and arrays."""

import gc
from multiprocessing import shared_memory
from pathlib import Path

import bodies
import shmkit
from processes import spawn, until
from scenario import files, raises, scenario


@scenario
def the_standard_librarys_segments():
    std = shared_memory.SharedMemory(create=True, size=64, name="std")
    with shmkit.txn(std) as txn:
        std.buf[0:2] = b"ab"
        assert txn[0:2] == b"ab"
        peer = spawn("count_by_txn", "std", 10)
        assert peer.hear() == "ready"
        peer.tell("go")
        until(lambda: bodies.somebody_waits("std.lk"))
        std.buf[0:2] = b"\0\0"
    peer.end()
    with shmkit.txn(std, read_only=True) as txn:
        assert std.buf[0] == 10
    with shmkit.txn("std") as txn:
        assert txn[0] == 10
    # Another segment of its name is not the one that is open.
    std.unlink()
    with shmkit.txn(std):
        pass
    again = shared_memory.SharedMemory(create=True, size=8, name="std")
    with shmkit.txn(again), shmkit.txn(std):
        pass
    unknown = shared_memory.SharedMemory(name="std")
    again.unlink()
    third = shared_memory.SharedMemory(create=True, size=8, name="std")
    raises(shmkit.ShmError, lambda: shmkit.txn(unknown), "ERR_SHM_UNLINKED")
    std.close()
    raises(shmkit.ShmError, lambda: shmkit.txn(std), "ERR_SHM_CLOSED")
    raises(AttributeError, lambda: shmkit.txn(object()))
    some = shared_memory.ShareableList([1, 2], name="list")
    with shmkit.txn(some):
        some[0] += 1
    with shmkit.txn(third):
        pass
    for shm in (again, unknown, third, some.shm):
        shm.close()
    third.unlink()
    some.shm.unlink()


@scenario
def what_is_unlinked_takes_its_lock_along():
    for end in (
        lambda shm, std: shm.unlink(),
        lambda shm, std: std.unlink(),  # knows nothing of locks: the last one to close it does
    ):
        std = shared_memory.SharedMemory(create=True, size=8, name="s")
        shm = shmkit.SharedMemory.attach("s")
        with shm.txn():
            assert files() == ["s", "s.lk"]
        with shmkit.txn(std):
            pass
        end(shm, std)
        shm.close()
        std.close()
        del shm, std
        gc.collect()
        assert files() == [], files()


@scenario
def arrays_outlive_their_segment():
    import numpy

    def mapped():
        return " /dev/shm/" in Path("/proc/self/maps").read_text()

    shm = shmkit.SharedMemory.create(1 << 20)
    array = numpy.asarray(shm)
    assert array.dtype == numpy.uint8 and array.shape == (1 << 20,) and array.flags.writeable
    array[:] = 7
    with shm.txn() as txn:
        assert txn[5] == 7
        inside = numpy.asarray(txn).view("int64")
        inside[0] = -1
    with shm.txn(read_only=True) as txn:
        frozen = numpy.asarray(txn)
        assert not frozen.flags.writeable
        raises(ValueError, lambda: frozen.setflags(write=True))
    raises(shmkit.ShmError, lambda: txn.__array_interface__, "ERR_SHM_TXN_ENDED")
    with shmkit.SharedMemory.attach(shm.name, read_only=True) as reader:
        assert not numpy.asarray(reader).flags.writeable
    shm.unlink()
    shm.close()
    raises(shmkit.ShmError, lambda: shm.__array_interface__, "ERR_SHM_CLOSED")
    del shm, txn
    gc.collect()
    assert array[0] == 255 and inside[0] == -1 and frozen[8] == 7
    array[9] = 1
    assert frozen[9] == 1
    assert mapped()
    del array, inside, frozen
    gc.collect()
    assert not mapped(), "and not longer"
