"""Dicts: what can be stored, mappings against plain dicts, transactions, and other processes."""

import array
import collections.abc
import datetime
import math
import multiprocessing
import os
import pickle
import random
import re
import struct
import threading
import time

import shmkit
from processes import fork, is_asleep, until
from scenario import enter, files, raises, scenario
from shmkit import MISSING

UTC = datetime.timezone.utc
DEEPEST = 100
TIMES = 500

# Each as it comes back.
VALUES = [
    *(None, True, False, "", "text", "é", "ÿ\0", "Ā", "😀", "\ud800", "a\udfff\ud800b", "\x7f\x80"),
    *(0, 1, -1, 255, 2**31, 2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 2**63, 2**64, -(2**64) - 1, 10**100),
    *(0.0, -0.0, 2.0, -2.0, 0.1, 2.0**53, 2.0**53 + 2, 1e300, 5e-324, math.inf, -math.inf),
    *(b"", b"bytes\0", bytes(range(256))),
    *([], {}, [[]], {"": {}}, [None, True, False, "é", b"b"], {"a": [1, {"b": [2.0, -0.0, 0.1]}]}),
    [0, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**53, 2**53 + 1, 2**63, 2**64 - 1],
    [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**53), -(2**53) - 1, -(2**63)],
    [math.inf, -math.inf, 1e300, 2.0**31, 2.0**53 + 2],
    ["x" * length for length in (0, 31, 32, 255, 256, 65536)],
    [b"x" * length for length in (0, 255, 256, 65536)],
    [list(range(length)) for length in (15, 16, 65536)],
    [{str(n): n for n in range(length)} for length in (15, 16, 65536)],
    *(datetime.datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1969, 1970, 2024, 2106, 2107, 2514, 2515, 9999)),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    [datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), datetime.datetime(2024, 2, 29, 1, 2, 3, 4, UTC)],
]


def dict_of(name="d", **options):
    return shmkit.SharedDict.create(name=name, **options)


def is_same(a, b):
    return type(a) is type(b) and repr(a) == repr(b) and a == b


@scenario
def every_value_of_a_dict_comes_back():
    with dict_of() as d:
        for value in VALUES:
            d["k"] = value
            assert is_same(d["k"], value), (d["k"], value)
            with d.txn() as txn:
                txn["k"] = None
                txn["k"] = value
                assert is_same(txn["k"], value), "before it is stored too"
            assert is_same(d["k"], value)
            assert d.compare_and_set("k", value, value), value
        d["k"] = math.nan
        assert math.isnan(d["k"]) and d.compare_and_set("k", -math.nan, [math.nan]) and math.isnan(d["k"][0])
        d["k"] = (1, (2,))
        assert d["k"] == [1, [2]]
        d["k"] = value = []
        value.append(d["k"])
        d["k"].append(1)
        assert d["k"] == [], "a copy each time"
        east = datetime.timezone(datetime.timedelta(hours=5))
        d["k"] = datetime.datetime(2024, 1, 1, 5, tzinfo=east)
        assert d["k"] == datetime.datetime(2024, 1, 1, tzinfo=UTC) and d["k"].tzinfo is UTC
        d["k"] = [2.0**32, -(2.0**31) - 1]  # floats as Node writes its whole numbers
        assert is_same(d["k"], [2**32, -(2**31) - 1])
        for value in (bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2], array.array("B", b"abc")):
            d["k"] = value
            assert is_same(d["k"], b"abc"), value
            d["k"] = [value]
            assert is_same(d["k"], [b"abc"]), value
        d.unlink()


class Index:
    def __index__(self):
        return 7


@scenario
def arrays_of_a_dict_need_no_numpy():
    import sys

    sys.modules["numpy"] = None  # as where there is none
    with dict_of() as d:
        for code in "bhHiIqQfdlL":
            d["k"] = array.array(code, [1, 2])
            assert isinstance(d["k"], array.array) and d["k"] == array.array(code, [1, 2])
            d["k"] = array.array(code)
            assert len(d["k"]) == 0
        d["k"] = memoryview(array.array("d", [0.5]))
        assert d["k"] == array.array("d", [0.5])
        d["k"] = [Index()]
        assert d["k"] == [7]
        raises(TypeError, lambda: d.update(k=array.array("u", "ab")), "ERR_SHM_VALUE")
        raises(ValueError, lambda: d.update(k=memoryview(b"abcd").cast("B", (2, 2))), "ERR_SHM_VALUE")
        d.unlink()


@scenario
def arrays_of_numpy_in_a_dict():
    import numpy

    with dict_of() as d:
        for name in "int8 int16 uint16 int32 uint32 int64 uint64 float32 float64".split():
            for values in ([], [0, 1, 100]):
                stored = numpy.array(values, dtype=name)
                d["k"] = stored
                found = d["k"]
                assert found.dtype == stored.dtype and (found == stored).all() and len(found) == len(values)
                found[:] = 5  # its own memory
                assert (d["k"] == stored).all() and d.compare_and_set("k", stored, stored)
        d["k"] = numpy.arange(6.0)[::-2]
        assert d["k"].tolist() == [5, 3, 1]
        d["k"] = numpy.arange(3, dtype="uint8")
        assert d["k"] == b"\0\1\2"
        scalars = [numpy.int64(5), numpy.uint64(2**64 - 1), numpy.float32(0.5), numpy.float64(2), numpy.bool_(True)]
        for scalar in scalars:
            d["k"] = scalar
            assert is_same(d["k"], scalar.item()), scalar
            d["k"] = [scalar]
            assert is_same(d["k"], [scalar.item()]), scalar
        for shape in ((), (1, 1), (0, 3)):
            error = raises(ValueError, lambda: d.update(k=numpy.zeros(shape)), "ERR_SHM_VALUE")
            assert "reshape(-1)" in str(error)
        for dtype in ("bool", ">f8", "f2", "complex128", "M8[s]", "U1", "O", "S2", "i4,f8"):
            refused = numpy.zeros(2, dtype=dtype)
            error = raises(TypeError, lambda: d.update(k=refused), "ERR_SHM_VALUE")
            assert str(refused.dtype) in str(error)
        for refused in (numpy.datetime64("2020"), numpy.timedelta64(5, "s"), numpy.complex64(1), [numpy.zeros(2)]):
            raises(TypeError, lambda: d.update(k=refused), "ERR_SHM_VALUE")
        assert d["k"] == [True]
        d.unlink()


@scenario
def what_a_dict_cannot_have():
    nested = itself = []
    for _ in range(DEEPEST - 1):
        nested = [nested]
    itself.append({"a": itself})
    deep = {}
    for _ in range(DEEPEST - 1):
        deep = {"a": deep}
    with dict_of() as d:
        d["deep"] = deep
        assert d["deep"] == deep
        d["k"] = "as it was"
        for value in (itself, nested, [deep], [2**64], [-(2**63) - 1], ["\ud800"], {"\ud800": 1}, {"__proto__": 1}):
            raises(ValueError, lambda: d.update(k=value), "ERR_SHM_VALUE")
        naive = datetime.datetime(2024, 1, 1)
        others = [{1}, object(), 1j, {1: 2}, [{(1,): 2}], [{1}], MISSING, naive, naive.date(), len, range(3), shmkit]
        for value in others:
            raises(TypeError, lambda: d.update(k=value), "ERR_SHM_VALUE")
            raises(TypeError, lambda: d.update(other=1, k=value), "ERR_SHM_VALUE")
            raises(TypeError, lambda: d.setdefault("k", value), "ERR_SHM_VALUE")
            with d.txn() as txn:
                raises(TypeError, lambda: txn.update(other=1, k=value), "ERR_SHM_VALUE")
        for key in ("", "k" * 65537, "\ud800"):
            raises(ValueError, lambda: d.update({key: 1}), "ERR_SHM_KEY")
            assert key not in d and d.get(key, 5) == 5 and d.pop(key, 6) == 6
            raises(KeyError, lambda: d[key])
        for key in (1, None, b"k", ("k",), []):
            raises(TypeError, lambda: d.update([(key, 1)] if key != [] else 1))
            raises(TypeError, lambda: d.__setitem__(key, 1), "ERR_SHM_KEY")
            assert key not in d and d.get(key, 5) == 5
            assert raises(KeyError, lambda: d[key]).args == (key,)
            assert raises(KeyError, lambda: d.pop(key)).args == (key,)
            raises(KeyError, lambda: d.__delitem__(key))
        assert d == {"deep": deep, "k": "as it was"}
        d["k" * 65536] = d["k\0"] = 1
        assert "k" * 65536 in d and d["k\0"] == 1
        d.unlink()


# ---- a mapping


def act(random, mapping, value):
    """One random act; what it gives, or how it fails."""
    key = f"key {random.randrange(12)}"
    others = {f"key {random.randrange(12)}": value for _ in range(random.randrange(4))}
    acts = [
        lambda: mapping.__setitem__(key, value),
        lambda: mapping.__setitem__(key, value),
        lambda: mapping.__delitem__(key),
        lambda: mapping[key],
        lambda: mapping.get(key),
        lambda: mapping.get(key, value),
        lambda: key in mapping,
        lambda: len(mapping),
        lambda: mapping.pop(key),
        lambda: mapping.pop(key, value),
        lambda: mapping.setdefault(key, value),
        lambda: mapping.setdefault(key),
        lambda: mapping.update(others),
        lambda: mapping.update(others.items(), named=value),
        lambda: mapping.update(named=value),
        lambda: mapping.update(),
        lambda: sorted(mapping),
        lambda: sorted(mapping.keys()),
        lambda: sorted(mapping.items(), key=repr),
        lambda: sorted(mapping.values(), key=repr),
        lambda: mapping.keys() & others.keys(),
        lambda: (key, value) in mapping.items(),
        lambda: value in mapping.values(),
        lambda: len(mapping.items()),
        lambda: (mapping == others, mapping != others, others == mapping),
        lambda: dict(mapping),
        lambda: {**mapping},
        lambda: mapping.copy(),
        lambda: bool(mapping),
        lambda: mapping.clear() if random.random() < 0.2 else None,
        lambda: mapping.popitem() if not mapping else None,
    ]
    try:
        return random.choice(acts)()
    except KeyError as error:
        return KeyError if error.args[:1] != (key,) else error.args


@scenario
def a_dict_is_a_mutable_mapping():
    seed = 20
    assert all(issubclass(kind, collections.abc.MutableMapping) for kind in (shmkit.SharedDict, shmkit.DictTxn))
    with dict_of(byte_length=8192) as d:
        plain = {}
        for turn in range(6000):
            value = random.Random(turn).choice([turn, str(turn) * 40, [turn], None])
            if turn % 20 == 0:
                compare_txn(d, plain, turn)
            found, expected = act(random.Random(turn + seed), d, value), act(random.Random(turn + seed), plain, value)
            assert found == expected, (turn, found, expected)
        assert d == plain and plain == d and d == d and not d != plain and d != 5
        raises(TypeError, lambda: hash(d))
        raises(TypeError, lambda: d.update(5))
        raises(TypeError, lambda: d.update({}, {}))
        while d:
            key, value = d.popitem()
            assert key not in d and plain.pop(key) == value
        assert plain == {} and raises(KeyError, d.popitem)
        d["a"] = 1
        with shmkit.SharedDict.create() as other:
            other.update(d)
            assert other == d and other.items() == d.items() and list(other.items()) == [("a", 1)]
            d.update(other)
            other.unlink()
        d.update({f"k{n}": n for n in range(100)})
        seen = 0
        for key, value in d.items():
            assert d[key] == value
            d.clear()  # the others are left out
            seen += 1
        assert seen == 1
        d.unlink()


def compare_txn(d, plain, turn):
    """The same acts in a transaction, which is kept or not."""
    keep, overlay = turn % 40 == 0, dict(plain)
    try:
        with d.txn() as txn:
            for step in range(30):
                value = [turn, step]
                found = act(random.Random(turn + step), txn, value)
                expected = act(random.Random(turn + step), overlay, value)
                assert found == expected, (turn, step, found, expected)
                assert d == plain and len(txn) == len(overlay), "nobody sees it yet"
            if not keep:
                raise InterruptedError
    except InterruptedError:
        assert not keep
    if keep:
        plain.clear()
        plain.update(overlay)
    assert d == plain


@scenario
def what_is_atomic_in_a_dict():
    with dict_of() as d:
        with d.txn() as txn:
            check_atomic(txn)
            txn.clear()
        check_atomic(d)
        d["n"] = 1
        raises(ZeroDivisionError, lambda: d.modify("n", lambda old: 1 / 0))
        assert d["n"] == 1
        raises(shmkit.DeadlockError, lambda: d.modify("n", lambda old: d.increment("n")), "ERR_SHM_DEADLOCK")
        assert d.modify("n", lambda old: old + d["n"]) == 2 and d["n"] == 2
        d.unlink()


def check_atomic(d):
    assert (d.increment("n"), d.increment("n", 5), d.increment("n", by=-7)) == (1, 6, -1)
    assert is_same(d.increment("n", 0.5), -0.5) and is_same(d.increment("n", 0.5), 0.0)
    assert is_same(d.increment("n", 3), 3.0) and is_same(d["n"], 3.0)
    assert is_same(d.increment("float", 2.0), 2.0) and is_same(d["float"], 2.0)
    d["n"] = 2**53 - 1
    assert d.increment("n") == 2**53
    raises(ValueError, lambda: d.increment("n"), "ERR_SHM_VALUE")
    assert d["n"] == 2**53
    for value in ("text", True, 2**60, None, [1]):
        d["other"] = value
        raises(shmkit.ShmError, lambda: d.increment("other"), "ERR_SHM_VALUE")
        raises(TypeError, lambda: d.increment("n", value), "ERR_SHM_VALUE")
        assert is_same(d["other"], value)

    assert not d.compare_and_set("new", None, 1) and "new" not in d
    assert d.compare_and_set("new", MISSING, None) and d["new"] is None
    assert not d.compare_and_set("new", MISSING, 1) and not d.compare_and_set("new", False, 1)
    assert d.compare_and_set("new", None, 1) and d.compare_and_set("new", 1.0, {"a": [1], "b": 2})
    assert not d.compare_and_set("new", {"a": [2], "b": 2}, 1)
    assert d.compare_and_set("new", {"b": 2, "a": (1,)}, 0.0)
    assert not d.compare_and_set("new", -0.0, 1) and not d.compare_and_set("new", "0", 1)
    assert d.compare_and_set("new", 0, MISSING) and "new" not in d
    assert d.compare_and_set("new", MISSING, MISSING) and "new" not in d

    assert d.modify("list", lambda old: [old is MISSING]) == [True]
    assert d.modify("list", lambda old: [*old, 2]) == [True, 2] and d["list"] == [True, 2]
    assert d.modify("list", lambda old: MISSING) is MISSING and "list" not in d
    raises(TypeError, lambda: d.modify("list", lambda old: {1}), "ERR_SHM_VALUE")
    raises(TypeError, lambda: d.modify("list", None))
    assert "list" not in d


@scenario
def a_dict_txn_is_all_or_nothing():
    with dict_of() as d:
        d.update(a=1, b=2)
        txn = d.txn()
        raises(shmkit.ShmError, lambda: txn["a"], "ERR_SHM_TXN_ENDED")
        with txn as same:
            assert same is txn and not txn.read_only
            txn["a"] = 10
            del txn["b"]
            txn["c"] = 3
            assert dict(d) == {"a": 1, "b": 2} and dict(txn) == {"a": 10, "c": 3}
            for write in (lambda: d.update(a=1), d.clear, d.popitem, lambda: d.pop("a"), lambda: d.increment("a")):
                raises(shmkit.DeadlockError, write, "ERR_SHM_DEADLOCK")
            raises(shmkit.DeadlockError, lambda: enter(d.txn()), "ERR_SHM_DEADLOCK")
            raises(shmkit.ShmError, lambda: enter(txn), "ERR_SHM_TXN_ENDED")
            d.close()  # does not disturb it
        with shmkit.SharedDict.attach("d") as d:
            assert d == {"a": 10, "c": 3}
            for use in (lambda: txn["a"], lambda: txn.update(a=1), lambda: len(txn), lambda: list(txn), txn.copy):
                raises(shmkit.ShmError, use, "ERR_SHM_TXN_ENDED")
            raises(shmkit.ShmError, lambda: enter(txn), "ERR_SHM_TXN_ENDED")
            for failure in (KeyError("x"), SystemExit(), KeyboardInterrupt()):
                try:
                    with d.txn() as txn:
                        txn.clear()
                        raise failure
                except BaseException as error:
                    assert error is failure
                assert d == {"a": 10, "c": 3}
            with d.txn(read_only=True) as txn:
                assert txn.read_only and txn == {"a": 10, "c": 3}
                for write in (lambda: txn.update(a=1), txn.clear, txn.popitem, lambda: txn.pop("no", 1)):
                    raises(shmkit.ShmError, write, "ERR_SHM_READ_ONLY")
            for timeout in (-1, math.nan):
                raises(ValueError, lambda: d.txn(timeout=timeout))
            d.unlink()


@scenario
def a_full_dict_takes_nothing_and_loses_nothing():
    with dict_of(byte_length=8192, max_byte_length=32768) as d:
        with raises_full():
            for n in range(1000):
                d[f"k{n}"] = b"x" * 500
        before = d.copy()
        with raises_full():
            d["large"] = b"x" * 40000
        with raises_full():
            d.update({f"k{n}": b"y" * 500 for n in range(40)})
        with raises_full(), d.txn() as txn:
            del txn["k0"]
            txn["large"] = b"x" * 30000
        assert d == before and d.byte_length <= 32768
        for key in before:
            del d[key]
        d["small"] = 1
        assert d == {"small": 1}
        d.unlink()


class raises_full:
    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        assert isinstance(error, shmkit.ShmError) and error.code == "ERR_SHM_FULL", error
        assert "max_byte_length" in str(error)
        return True


@scenario
def a_dict_handle_and_its_errors():
    d = shmkit.SharedDict.create(name="d", track=False, lock_timeout=None)
    assert (d.name, d.closed, d.read_only, d.byte_length, len(d)) == ("d", False, False, 65536, 0)
    raises(FileExistsError, lambda: dict_of("d"), "EEXIST")
    raises(FileNotFoundError, lambda: shmkit.SharedDict.attach("none"), "ENOENT")
    for options in ({"byte_length": 0}, {"byte_length": 8192, "max_byte_length": 8191}):
        raises(ValueError, lambda: dict_of("other", **options))
    for patience in (-1, math.nan):
        raises(ValueError, lambda: dict_of("other", lock_timeout=patience))
        raises(ValueError, lambda: shmkit.SharedDict.attach("d", lock_timeout=patience))
    with shmkit.SharedMemory.create(8192, name="s") as shm:
        raises(shmkit.ShmError, lambda: shmkit.SharedDict.attach("s"), "ERR_SHM_NOT_A_DICT")
        raises(shmkit.ShmError, lambda: shmkit.SharedDict.create_or_attach("s"), "ERR_SHM_NOT_A_DICT")
        shm.unlink()
    with shmkit.SharedDict.create_or_attach("d") as other:
        other["a"] = 1
        other.adopt()
    assert d == {"a": 1} and repr(d) == "<shmkit.SharedDict 'd', 1 entries>"
    with shmkit.SharedDict.attach("d", read_only=True) as reader:
        assert reader.read_only and reader["a"] == 1 and dict(reader) == {"a": 1} and "a" in reader
        writes = [reader.clear, reader.popitem, lambda: reader.pop("a"), lambda: reader.setdefault("a"), reader.txn]
        writes += [lambda: reader.update(a=1), lambda: reader.update(), lambda: reader.increment("a")]
        for write in writes:
            raises(shmkit.ShmError, write, "ERR_SHM_READ_ONLY")
        with reader.txn(read_only=True) as txn:
            d["a"] = 2  # beside it
            assert dict(txn) == {"a": 1} and len(txn) == 1 and txn["a"] == 1 and "b" not in txn
            raises(shmkit.ShmError, lambda: txn.update(a=3), "ERR_SHM_READ_ONLY")
        assert reader.copy() == {"a": 2}
    d.close()
    d.close()
    assert d.closed and repr(d) == "<shmkit.SharedDict 'd', closed>"
    uses = [lambda: d["a"], lambda: d.update(a=1), lambda: len(d), lambda: list(d), d.copy, d.txn, d.adopt, d.clear]
    uses += [lambda: "a" in d, lambda: d == {}, lambda: pickle.dumps(d), lambda: d.byte_length, lambda: list(d.items())]
    for use in uses:
        raises(shmkit.ShmError, use, "ERR_SHM_CLOSED")
    d.unlink()
    raises(FileNotFoundError, d.unlink, "ENOENT")


# ---- others


def add_by_increment(d):
    d.increment("n")


def add_by_modify(d):
    d.modify("n", lambda old: (old or 0) + 1)


def add_by_txn(d):
    with d.txn() as txn:
        txn["n"] = txn.get("n", 0) + 1
        txn["same"] = txn["n"]


def add_by_comparing(d):
    while True:
        old = d.get("n", MISSING)
        if d.compare_and_set("n", old, (old or 0) + 1):
            return


WAYS = [add_by_increment, add_by_modify, add_by_txn, add_by_comparing]


def add_many(d, way):
    for _ in range(TIMES):
        WAYS[way](d)


@scenario
def processes_count_in_one_dict():
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with dict_of() as d:
            children = [context.Process(target=add_many, args=(d, way)) for way in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
            assert d["n"] == 4 * TIMES
            d.unlink()


@scenario
def threads_count_in_one_dict():
    with dict_of() as d:
        threads = [threading.Thread(target=add_many, args=(d, way)) for way in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert d["n"] == 4 * TIMES
        d.unlink()


@scenario
def a_pickled_dict_is_the_same_one():
    with dict_of() as d:
        for handle in (d, shmkit.SharedDict.attach("d", read_only=True)):
            with pickle.loads(pickle.dumps(handle)) as same:
                assert same.name == "d" and same.read_only == handle.read_only
                d["a"] = os.urandom(4)
                assert same == d
        pickled = pickle.dumps(d)
        d.unlink()
    with dict_of() as d:
        raises(shmkit.ShmError, lambda: pickle.loads(pickled), "ERR_SHM_UNLINKED")
        d.unlink()
    raises(FileNotFoundError, lambda: pickle.loads(pickled), "ENOENT")
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING and not MISSING and repr(MISSING) == "shmkit.MISSING"


@scenario
def a_forked_child_has_the_dict_and_not_the_txn():
    d = dict_of(lock_timeout=20)

    def child(peer, txn):
        raises(shmkit.ShmError, lambda: txn["a"], "ERR_SHM_TXN_ENDED")
        raises(shmkit.ShmError, lambda: txn.update(a="child's"), "ERR_SHM_TXN_ENDED")
        txn.__exit__(None, None, None)
        assert dict(d) == {}, "its parent's is not done"
        raises(TimeoutError, lambda: enter(d.txn(timeout=0.01)), "ERR_SHM_TIMEOUT")
        peer.tell("waits")
        with d.txn() as its:
            its["b"] = its.get("a")

    with d.txn() as txn:
        txn["a"] = 1
        peer = fork(child, txn)
        assert peer.hear() == "waits"
        until(lambda: is_asleep(peer.pid))
    peer.end()
    assert d == {"a": 1, "b": 1}

    def change(old):
        pid = os.fork()
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
            return old + 1
        return "child's"

    parent = os.getpid()
    code = None
    try:
        d.modify("a", change)
    except shmkit.ShmError as error:
        code = error.code
    if os.getpid() != parent:
        os._exit(code != "ERR_SHM_TXN_ENDED")
    assert code is None and d["a"] == 2
    d.unlink()
    d.close()


def hold_txn(peer):
    with shmkit.SharedDict.attach("d") as d, d.txn() as txn:
        txn["a"] = txn["b"] = "half"
        peer.tell("in it")
        assert peer.hear() == "go on"


def change_for_ever(peer):
    """For as long as there is somebody who could kill it."""
    turn = 0
    with shmkit.SharedDict.attach("d") as d:
        while os.getppid() == peer.pid:
            turn += 1
            with d.txn() as txn:
                txn["a"], txn["b"] = turn, turn
                txn[f"k{turn % 50}"] = bytes(random.randrange(2000))
                txn.pop(f"k{turn * 7 % 50}", None)
            d[f"k{turn * 3 % 50}"] = turn


@scenario
def kills_leave_a_dict_whole():
    with dict_of() as d, shmkit.SharedDict.attach("d", read_only=True) as reader:
        d.update(a=1, b=1)
        peer = fork(hold_txn)
        assert peer.hear() == "in it"
        late = shmkit.SharedDict.attach("d", lock_timeout=0.05)
        raises(TimeoutError, lambda: late.update(a=2), "ERR_SHM_TIMEOUT")
        assert d == reader == {"a": 1, "b": 1}, "who reads waits for nobody"
        with open("/dev/shm/d", "r+b", buffering=0) as file:  # as if it had come to its commit
            os.pwrite(file.fileno(), struct.pack("=QQ", 12345, 1000), 64)  # version is odd, and count a wrong one
        peer.kill()
        d.increment("a")
        assert d == {"a": 2, "b": 1} and len(d) == 2 and reader.copy() == d
        d["a"] = d["b"] = 0
        for _ in range(60):
            peer = fork(change_for_ever)
            any_moment = random.random() * 0.03
            time.sleep(any_moment)
            peer.kill()
            d["probe"] = 1  # and puts in order what was left
            with d.txn() as txn:
                assert txn["a"] == txn["b"] == reader["a"] and len(txn) == len(list(txn)) == len(txn.copy())
            assert reader.copy() == d
        late.close()
        d.unlink()


@scenario
def a_snapshot_of_a_dict_is_of_one_moment():
    with dict_of() as d, shmkit.SharedDict.attach("d", read_only=True) as reader:
        d.update(a=0, b=0)
        peer = fork(change_for_ever)
        seen = set()
        until(lambda: d["a"] > 0)
        while len(seen) < 50:
            for copy in (d.copy(), reader.copy()):
                assert copy["a"] == copy["b"]
                seen.add(copy["a"])
            with reader.txn(read_only=True, timeout=20) as txn:
                assert txn["a"] == txn["b"]
            with d.txn(read_only=True) as txn:
                assert txn["a"] == txn["b"] == d["a"]
        peer.kill()
        with d.txn():
            pass
        # As if somebody had died in the middle of a commit: version is odd.
        with shmkit.SharedMemory.attach("d") as shm:
            version = patch(shm, 64, struct.pack("=Q", 12345))
            short = shmkit.SharedDict.attach("d", read_only=True, lock_timeout=0.02)
            raises(shmkit.ShmError, short.copy, "ERR_SHM_BUSY")
            raises(shmkit.ShmError, lambda: enter(short.txn(read_only=True)), "ERR_SHM_BUSY")
            began = time.monotonic()
            raises(shmkit.ShmError, lambda: enter(reader.txn(read_only=True, timeout=0.05)), "ERR_SHM_BUSY")
            assert 0.05 <= time.monotonic() - began < 5
            assert short["a"] == d["a"]
            patch(shm, 64, version)
        d.unlink()


# ---- what others may have written


def patch(shm, at, data):
    with shm.txn() as txn:
        old = txn[at : at + len(data)]
        txn[at : at + len(data)] = data
    return old


def plant(d, kind, data):
    """Makes the value of 'planted!' these bytes, of this kind."""
    d["planted!"] = data
    head = re.escape(struct.pack("<I", 8)) + b".\x10\0\0" + re.escape(struct.pack("<Q", len(data)))
    with shmkit.SharedMemory.attach(d.name) as shm:
        with shm.txn(read_only=True) as txn:
            (record,) = re.finditer(head + b"planted!" + re.escape(data), txn[:], re.DOTALL)
        patch(shm, record.start() + 5, bytes([kind]))


CORRUPT = [
    *((3, b"1234567"), (3, b""), (7, b"123456789"), (4, b""), (4, b"1234567"), (6, b"abc")),
    *((19, b"1"), (21, b"123456"), (23, b"1234"), (25, b"123"), (26, b"1234567")),
    *((67, b""), (67, b"\xc1"), (67, b"\xcc"), (67, b"\xcb\0\0"), (67, b"\xa3ab"), (67, b"\xc0\xc0")),
    *((67, b"\xdd\xff\xff\xff\xff"), (67, b"\xdd\xff\xff\xff\xff" + b"\xc0" * 50), (67, b"\xdf\xff\xff\xff\xff\xa0")),
    *((67, b"\xdb\xff\xff\xff\xff"), (67, b"\xc6\xff\xff\xff\xff12"), (67, b"\xc9\xff\xff\xff\xff\xff")),
    *((67, b"\xa2\xc3\x28"), (67, b"\x91" * 101 + b"\xc0"), (67, b"\x91" * 60000), (67, b"\x81\xa0" * 20000)),
    *((67, b"\x81" * 30000), (67, b"\x82\xa1a\x01\xa1b")),
]
UNREADABLE = [
    *((66, b"\xff\x0f"), (8, b""), (15, b"1"), (27, b"12345678"), (65, b""), (68, b"\xc0"), (255, b"")),
    *((67, b"\xd4\x00\x00"), (67, b"\xc7\x01\x73\x90"), (67, b"\xd4\xff\xff"), (67, b"\xd5\xff\0\0")),
    (67, b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 1 << 40)),
    (67, b"\xc7\x0c\xff" + struct.pack(">Iq", 0, -(1 << 63))),
    *((67, b"\x81\x90\x01"), (67, b"\x81\x80\x01")),
]
READABLE = [
    *((0, b"more", None), (4, struct.pack("=Q", 0), 0), (4, struct.pack("=QQQ", 1, 5, 0), -5), (4, bytes(32), 0)),
    *((67, b"\x82\x01\x02\xc0\x03", {1: 2, None: 3}), (67, b"\xca\x3f\x00\x00\x00", 0.5)),
    *((67, b"\x82\xa1a\x01\xa1a\x02", {"a": 2}), (67, b"\xdc\x00\x01\x05", [5]), (67, b"\xde\x00\x00", {})),
    (67, b"\x91" * 100 + b"\xc0", None),
]


@scenario
def damaged_values_of_a_dict_are_errors():
    with dict_of(byte_length=1 << 18) as d:
        for code, cases in (("ERR_SHM_CORRUPT", CORRUPT), ("ERR_SHM_VALUE", UNREADABLE)):
            for kind, data in cases:
                plant(d, kind, data)
                error = raises(shmkit.ShmError, lambda: d["planted!"], code)
                assert "planted!" in str(error)
                raises(shmkit.ShmError, d.copy, code)
                raises(shmkit.ShmError, lambda: d.pop("planted!"), code)
                raises(shmkit.ShmError, d.popitem, code)
                assert "planted!" in d and list(d) == ["planted!"], "what cannot be read is not lost"
                del d["planted!"]
                assert d == {}
        for kind, data, value in READABLE:
            plant(d, kind, data)
            if value is not None:
                assert is_same(d["planted!"], value), (data, d["planted!"])
            d["planted!"]
            del d["planted!"]
        # A bigint that is small is as any int.
        plant(d, 4, struct.pack("=QQ", 0, 5))
        assert d["planted!"] == 5 and d.compare_and_set("planted!", 5, 6) and d["planted!"] == 6
        d.unlink()


@scenario
def random_bytes_in_a_dict_are_errors_or_values():
    chance = random.Random(7)
    good = pickle.dumps(VALUES)  # any bytes will do
    outcomes = {"value": 0}
    with dict_of(byte_length=1 << 18) as d:
        moment = datetime.datetime(2024, 1, 1, 1, 1, 1, 1, UTC)
        d["whole"] = {"list": [1, 2.5, "text", b"bytes", None, True, 2**60, -7], "time": moment}
        d["more"] = [{"a" * n: [n]} for n in range(40)]
        with shmkit.SharedMemory.attach("d") as shm:
            with shm.txn(read_only=True) as txn:
                image = txn[:]
            messages = [image[image.index(b"\x82\xa4list") :][:80], image[image.index(b"\xdc\0\x28\x81") :][:900]]
        d.clear()
        for _ in range(1500):
            data = bytearray(chance.choice(messages))
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            if chance.random() < 0.3:
                data = data[: chance.randrange(len(data))]
            if chance.random() < 0.1:
                data = bytearray(chance.choice(good) for _ in range(chance.randrange(40)))
            plant(d, chance.choice([67, 67, 67, 67, chance.randrange(80)]), bytes(data))
            try:
                d["planted!"]
                outcomes["value"] += 1
            except shmkit.ShmError as error:
                assert error.code in ("ERR_SHM_CORRUPT", "ERR_SHM_VALUE"), error
                outcomes[error.code] = outcomes.get(error.code, 0) + 1
            del d["planted!"]
        assert len(outcomes) == 3 and min(outcomes.values()) > 20, outcomes
        d.unlink()
    assert files() == []
