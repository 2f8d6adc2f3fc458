"""Arrays: what they say of themselves, what is refused, and numpy's over the same memory."""

import gc
import os
import pickle
import random
import sys
from pathlib import Path

import shmkit
from processes import fork
from scenario import files, raises, scenario

DTYPES = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 bool".split()
SIZES = dict(zip(DTYPES, (1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 1)))


def array_of(shape, *args, name="a", **options):
    return shmkit.SharedArray.create(shape, *args, name=name, **options)


def attach(target="a", **options):
    return shmkit.SharedArray.attach(target, **options)


def place(name, data):
    Path(f"/dev/shm/{name}").write_bytes(data)


def header(text):
    text = text.encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@scenario
def an_array_says_what_it_is_without_numpy():
    sys.modules["numpy"] = None  # as where there is none
    for dtype in DTYPES:
        for order, strides in (("C", (3, 1)), ("F", (1, 2))):
            for head, start in (("npy", 128), ("none", 0)):
                size = SIZES[dtype]
                with array_of((2, 3), dtype, order, head) as a:
                    facts = (a.name, a.shape, a.dtype, a.ndim, a.size, a.nbytes, a.read_only, len(a))
                    assert facts == ("a", (2, 3), dtype, 2, 6, 6 * size, False, 2)
                    assert a.strides == tuple(stride * size for stride in strides)
                    assert a.shm.size == start + 6 * size and a.shm.name == "a"
                    details = a.to_json()
                    assert (details["strides"], details["byteOffset"]) == (list(strides), start)
                    same = attach(details)
                    assert (same.shape, same.dtype, same.strides) == (a.shape, a.dtype, a.strides)
                    interface = a.__array_interface__
                    assert interface["version"] == 3 and interface["shape"] == (2, 3)
                    assert bytes(interface["data"])[start:] == bytes(6 * size) and interface["offset"] == start
                    raises(ImportError, lambda: a[0])
                    a.unlink()
                assert a.closed and "closed" in repr(a)
                raises(shmkit.ShmError, lambda: a.__array_interface__, "ERR_SHM_CLOSED")
                raises(shmkit.ShmError, lambda: a[0], "ERR_SHM_CLOSED")
                raises(shmkit.ShmError, lambda: pickle.dumps(a), "ERR_SHM_CLOSED")
    with array_of(()) as a:
        assert (a.shape, a.strides, a.size, a.dtype) == ((), (), 1, "float64")
        raises(TypeError, lambda: len(a))
        a.unlink()
    with array_of((2, 0, 3), "?") as a:
        assert (a.size, a.nbytes, a.dtype, len(a)) == (0, 0, "bool", 2)
        a.unlink()
    with array_of(5, "=f4", mode=0o640) as a:
        assert (a.shape, a.dtype, os.stat("/dev/shm/a").st_mode & 0o777) == ((5,), "float32", 0o640)
        a.adopt()
        with shmkit.txn(a) as txn:
            txn.write(b"\0\0\x80\x3f", 128)
        assert bytes(a.__array_interface__["data"])[128:132] == b"\0\0\x80\x3f"
        assert files() == ["a", "a.lk"]
        a.unlink()


@scenario
def what_an_array_cannot_be():
    sys.modules["numpy"] = None
    for shape, said in (((2, -3), "shape[1]"), ((1 << 40, 1 << 40), "1099511627776"), ((1,) * 65, "65")):
        assert said in str(raises(ValueError, lambda: array_of(shape), "ERR_OUT_OF_RANGE"))
    assert "4611686018427387904" in str(raises(ValueError, lambda: array_of(1 << 62), "ERR_OUT_OF_RANGE"))
    assert "8796093022336" in str(raises(OSError, lambda: array_of(1 << 40), "ENOSPC"))
    for shape in ("ab", 2.5, (2, 2.5), None, [[1]]):
        raises(TypeError, lambda: array_of(shape))
    for dtype in ("complex64", ">f8", "float", "", "<<f8"):
        assert f'"{dtype}"' in str(raises(ValueError, lambda: array_of(2, dtype), "ERR_OUT_OF_RANGE"))
    raises(TypeError, lambda: array_of(2, 5))
    raises(ValueError, lambda: array_of(2, order="A"))
    raises(ValueError, lambda: array_of(2, header="npz"))
    assert files() == []

    a = array_of((2, 3), "int16")
    raises(FileExistsError, lambda: array_of(1), "EEXIST")
    error = raises(shmkit.ShmError, lambda: attach(dtype="f4", shape=6, order="F"), "ERR_SHM_MISMATCH")
    for said in ("int16, not float32", "[2, 3], not [6]", "'F'"):
        assert said in str(error)
    error = raises(shmkit.ShmError, lambda: attach(dtype="f8", shape=(3, 2000), offset=64), "ERR_SHM_SIZE")
    assert "48064 bytes, and 'a' has 140" in str(error)
    raises(ValueError, lambda: attach(dtype="f8", shape=3, offset=3), "ERR_OUT_OF_RANGE")
    raises(ValueError, lambda: attach(header="npy", offset=0))
    raises(shmkit.ShmError, lambda: attach(header="none"), "ERR_SHM_NOT_AN_ARRAY")
    assert attach(header="none", dtype="u1", shape=6, offset=128).shape == (6,)
    raises(TypeError, lambda: attach(5))
    raises(FileNotFoundError, lambda: attach("none"), "ENOENT")
    details = a.to_json()
    for change, code in (
        ({"version": 2}, "ERR_SHM_VERSION"),
        ({"kind": "queue"}, "ERR_SHM_KIND"),
        ({"id": "1:1"}, "ERR_SHM_UNLINKED"),
        ({"strides": [-1, 1]}, "ERR_SHM_SIZE"),
        ({"strides": [2**63 - 1, 2**63 - 1]}, "ERR_SHM_SIZE"),
        ({"shape": [2**40, 2], "strides": [0, 1]}, "ERR_SHM_SIZE"),
        ({"shape": [2**40, 2], "strides": [0, 0]}, "ERR_SHM_SIZE"),
        ({"strides": [-(2**63), 2**63 - 1]}, "ERR_SHM_SIZE"),
        ({"offset": 1}, "ERR_SHM_SIZE"),
        ({"offset": 2**63}, "ERR_SHM_SIZE"),
        ({"byteOffset": 130}, "ERR_SHM_SIZE"),
        ({"shape": [2, 4], "strides": [3, 1]}, "ERR_SHM_SIZE"),
        ({"shape": [0], "strides": [1], "offset": 100}, "ERR_SHM_SIZE"),
    ):
        raises(shmkit.ShmError, lambda: attach({**details, **change}), code)
    for change in ({"strides": [1]}, {"dtype": "x"}, {"byteOffset": 129}, {"shape": [-1, 1]}, {"id": "x"}):
        raises(ValueError, lambda: attach({**details, **change}))
    for change in ({"strides": None}, {"offset": "x"}, {"offset": -1}, {"name": None}, {"dtype": None}):
        raises(TypeError, lambda: attach({**details, **change}))
    assert attach({**details, "shape": None}).shape == (2, 3), "by its header"
    a.unlink()
    with array_of(1) as other:  # of that name
        raises(shmkit.ShmError, lambda: attach(details), "ERR_SHM_UNLINKED")
        other.unlink()


@scenario
def headers_that_make_no_sense_are_errors():
    sys.modules["numpy"] = None
    good = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }".ljust(117) + "\n"
    place("a", header(good) + bytes(24))
    assert attach().shape == (3,)
    os.unlink("/dev/shm/a")
    for text, code in (
        (good.replace("<f8", ">f8"), "ERR_SHM_DTYPE"),
        (good.replace("<f8", "<c8"), "ERR_SHM_DTYPE"),
        (good.replace("'<f8'", "[('a', '<f8')]"), "ERR_SHM_DTYPE"),
        (good.replace("(3,)", "(4,)"), "ERR_SHM_SIZE"),
        (good.replace("(3,)", "(9000000000, 9000000000)"), "ERR_SHM_CORRUPT"),
        (good.replace("(3,)", "(-3,)"), "ERR_SHM_CORRUPT"),
        (good.replace("(3,)", "3"), "ERR_SHM_CORRUPT"),
        (good.replace("shape", "shade"), "ERR_SHM_CORRUPT"),
        (good[:-1], "ERR_SHM_ALIGNMENT"),
        ("(" * 60000, "ERR_SHM_CORRUPT"),
        ("{'descr': " + "[" * 60000, "ERR_SHM_CORRUPT"),
        ("-" * 60000, "ERR_SHM_CORRUPT"),
    ):
        place("a", header(text) + bytes(24))
        raises(shmkit.ShmError, attach, code)
        os.unlink("/dev/shm/a")
    chance = random.Random(1)
    for _ in range(2000):
        data = bytearray(header(good) + bytes(24))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(6, 100)] = chance.choice(b"\0\1\2 '{}[]()9,:TF\xff")
        place("a", data)
        try:
            with attach() as a:
                assert a.nbytes <= 152
                bytes(a.__array_interface__["data"])
        except shmkit.ShmError as error:
            assert error.code.startswith("ERR_SHM_"), error
        os.unlink("/dev/shm/a")


@scenario
def a_pickled_array_is_the_same_one():
    with array_of((2, 3), "int32", "F") as a:
        for handle in (a, attach(read_only=True)):
            with pickle.loads(pickle.dumps(handle)) as same:
                assert same.to_json() == handle.to_json() and same.read_only == handle.read_only
        part = {**a.to_json(), "shape": [3], "strides": [-2], "offset": 5}
        with pickle.loads(pickle.dumps(attach(part))) as same:
            assert (same.shape, same.strides) == ((3,), (-8,))
        assert attach({**part, "readOnly": True}).read_only
        pickled = pickle.dumps(a)
        a.unlink()
    raises(FileNotFoundError, lambda: pickle.loads(pickled), "ENOENT")


@scenario
def arrays_are_numpys_in_place():
    import numpy

    for dtype in DTYPES:
        for order in "CF":
            with array_of((2, 3, 4), dtype, order) as a:
                same = numpy.asarray(a)
                facts = (str(same.dtype), same.shape, same.strides, same.flags.f_contiguous)
                assert facts == (dtype, (2, 3, 4), a.strides, order == "F")
                values = numpy.arange(24).reshape(2, 3, 4).astype(dtype)
                a[...] = values
                assert (same == values).all() and (a[1, ::-1, 2] == values[1, ::-1, 2]).all()
                same[0, 1, 2] = 5
                assert a[0, 1, 2] == values.dtype.type(5)
                saved = numpy.load("/dev/shm/a", mmap_mode="r+")
                assert (saved == same).all() and saved.flags.f_contiguous == (order == "F")
                a[1] = 1
                assert (saved[1] == 1).all() and len(list(a)) == 2
                for index in (2, -3, (0, 0, 0, 0), "x"):
                    raises(IndexError, lambda: a[index])
                a.unlink()
    for dtype in (float, numpy.float16, numpy.dtype("u2"), "double", "int", "<f4", bool):
        with array_of(3, dtype) as a:
            assert a.dtype == str(numpy.dtype(dtype))
            a.unlink()
    for dtype in (object, "M8[s]", "i4,f8", ">f8", "S3", complex):
        raises((TypeError, ValueError), lambda: array_of(3, dtype))
    assert files() == []


@scenario
def numpys_arrays_outlive_a_shared_one():
    import numpy

    def mapped():
        return " /dev/shm/" in Path("/proc/self/maps").read_text()

    a = array_of((1000, 100), "int32", order="F")
    a[...] = 7
    whole, part, frozen = numpy.asarray(a), a[1::2, ::-1], numpy.asarray(attach(read_only=True))
    assert not frozen.flags.writeable
    raises(ValueError, lambda: frozen.setflags(write=True))
    raises(ValueError, lambda: attach(read_only=True).__setitem__(0, 1))
    a.unlink()
    a.close()
    a.close()
    raises(shmkit.ShmError, lambda: a[0, 0], "ERR_SHM_CLOSED")
    raises(shmkit.ShmError, lambda: numpy.asarray(a), "ERR_SHM_CLOSED")
    del a
    gc.collect()
    part[:] = 8
    assert whole[1, 0] == 8 and frozen[999, 99] == 8 and whole[0, 0] == 7

    def child(peer):
        whole[0, 0] = 9

    fork(child).end()
    assert frozen[0, 0] == 9
    assert mapped()
    del whole, part, frozen
    gc.collect()
    assert not mapped(), "and not longer"
