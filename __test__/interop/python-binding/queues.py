"""Queues: items and slots, waits that end, and processes that fork and die."""

import gc
import multiprocessing
import os
import pickle
import signal
import struct
import sys
import threading
import time
import warnings

import shmkit
from processes import fork, spawn, until
from scenario import enter, files, raises, scenario

# Python 3.12 and newer say that a child of a process with threads may hang. Here it must not.
warnings.simplefilter("ignore", DeprecationWarning)

DTYPES = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 bool".split()


def queue_of(slots, *args, name="q", **options):
    return shmkit.SharedQueue.create(slots, *args, name=name, **options)


def number(value):
    return struct.pack("=q", value)


def value(item):
    return None if item is None else struct.unpack("=q", bytes(item))[0]


def without_numpy():
    sys.modules["numpy"] = None


def ended(queue):
    queue.end()
    queue.unlink()
    queue.close()


@scenario
def a_queue_passes_bytes_without_numpy():
    without_numpy()
    q = queue_of(3, (), "int64")
    assert (q.name, q.slots, q.shape, q.dtype, len(q), q.lost, q.ended) == ("q", 3, (), "int64", 0, 0, False)
    assert q.try_pop() is None and q.try_take() is None
    q.push(number(1))
    q.push(bytearray(number(2)))
    assert q.try_push(memoryview(number(3))) is True and q.try_push(number(4)) is False and len(q) == 3
    assert "3 of 3" in repr(q)
    assert (q.pop(), q.try_pop(), q.pop_many()) == (number(1), number(2), number(3))
    q.push_many(b"".join(map(number, range(3))))
    assert q.pop_many(2) == number(0) + number(1) and q.pop_many(2) == number(2)
    for item in (b"", b"1234567", b"123456789"):
        assert str(len(item)) in str(raises(ValueError, lambda: q.push(item), "ERR_OUT_OF_RANGE"))
        if item:
            raises(ValueError, lambda: q.push_many(item), "ERR_OUT_OF_RANGE")
    q.push_many(b"")
    for item in (5, "12345678", None, [1]):
        raises(TypeError, lambda: q.push(item))
    with q.claim() as slot:
        slot.data[:] = number(7)
    with q.take() as slot:
        assert bytes(slot.data) == number(7)
    q.push_many(number(1) + number(2))
    q.end()
    assert q.ended and len(q) == 2
    for act in (lambda: q.push(number(1)), lambda: q.try_push(number(1)), q.claim, q.try_claim):
        raises(shmkit.ShmError, act, "ERR_SHM_ENDED")
    error = raises(shmkit.ShmError, lambda: q.push_many(number(1)), "ERR_SHM_ENDED")
    assert error.pushed == 0
    assert [value(item) for item in q] == [1, 2]
    assert (q.pop(), q.try_pop(), q.take(), q.try_take(), q.pop_many(), list(q.batches())) == (*[None] * 5, [])
    q.close()
    q.close()
    assert q.closed and "closed" in repr(q) and q.slots == 3
    for act in (q.pop, q.try_pop, lambda: q.push(number(1)), q.claim, lambda: len(q), lambda: q.lost, q.end):
        raises(shmkit.ShmError, act, "ERR_SHM_CLOSED")
    raises(shmkit.ShmError, lambda: pickle.dumps(q), "ERR_SHM_CLOSED")
    q.unlink()


@scenario
def what_a_queue_cannot_be():
    for slots in (0, -1, 2**24 + 1, 2**40):
        assert str(slots) in str(raises(ValueError, lambda: queue_of(slots), "ERR_OUT_OF_RANGE"))
    for shape in ((0,), (2, -1), (1,) * 9, (2**30,), (2**62, 2**62)):
        raises(ValueError, lambda: queue_of(100, shape), "ERR_OUT_OF_RANGE")
    raises(TypeError, lambda: queue_of(3, mode="0o600"))
    raises(TypeError, lambda: queue_of(3, spsc="yes"))
    raises(ValueError, lambda: queue_of(3, dtype="c8"), "ERR_OUT_OF_RANGE")
    for slots in (2.5, "3", None):
        raises(TypeError, lambda: queue_of(slots))
    assert files() == []
    raises(FileNotFoundError, lambda: shmkit.SharedQueue.attach("q"), "ENOENT")
    with shmkit.SharedMemory.create(8, name="q") as shm:
        raises(shmkit.ShmError, lambda: shmkit.SharedQueue.attach("q"), "ERR_SHM_NOT_A_QUEUE")
        shm.unlink()
    q = queue_of(3, mode=0o640)
    assert os.stat("/dev/shm/q").st_mode & 0o777 == 0o640
    raises(FileExistsError, lambda: queue_of(3), "EEXIST")
    details = q.to_json()
    raises(shmkit.ShmError, lambda: shmkit.SharedQueue.attach({**details, "kind": "array"}), "ERR_SHM_KIND")
    raises(shmkit.ShmError, lambda: shmkit.SharedQueue.attach({**details, "id": "1:1"}), "ERR_SHM_UNLINKED")
    for _ in range(300):  # 255 can have it open
        error = raises(shmkit.ShmError, lambda: shmkit.SharedQueue.attach("q", dtype="i4", shape=2), "ERR_SHM_MISMATCH")
    assert "another queue: its elements are float64, not int32; its shape is [], not [2]" in str(error)
    raises(TypeError, lambda: shmkit.SharedQueue.attach("q", dtype=5))
    shmkit.SharedQueue.attach("q", dtype="<f8", shape=()).close()
    for max in (0, -1):
        raises((ValueError, OverflowError), lambda: q.batches(max))
        raises((ValueError, OverflowError), lambda: q.pop_many(max))
    for timeout in (-1, float("nan")):
        raises(ValueError, lambda: q.pop(timeout))
    handles = [shmkit.SharedQueue.attach(details) for _ in range(254)]
    raises(shmkit.ShmError, lambda: shmkit.SharedQueue.attach("q"), "ERR_SHM_TOO_MANY")
    handles.pop().close()
    shmkit.SharedQueue.attach("q").adopt()
    q.unlink()
    single = queue_of(3, spsc=True)
    single.push(b"12345678")
    other = shmkit.SharedQueue.attach("q")
    raises(shmkit.ShmError, lambda: other.push(b"12345678"), "ERR_SHM_TOO_MANY")
    assert bytes(other.pop()) == b"12345678"
    raises(shmkit.ShmError, single.try_pop, "ERR_SHM_TOO_MANY")
    single.close()
    other.push(b"12345678")
    other.unlink()


@scenario
def slots_are_given_back_once():
    without_numpy()
    q = queue_of(2, (), "int64")
    slot = q.claim()
    slot.data[:] = number(1)
    assert q.try_pop() is None and len(q) == 1, "nobody sees it"
    slot.commit()
    slot.commit()
    slot.release()
    raises(shmkit.ShmError, lambda: slot.data, "ERR_SHM_CLOSED")
    assert value(q.pop()) == 1

    slot = q.try_claim()
    slot.release()
    slot.release()
    raises(shmkit.ShmError, slot.commit, "ERR_SHM_CLOSED")
    assert q.try_pop() is None, "nothing came of it"

    def fail():
        with q.claim() as slot:
            slot.data[:] = number(2)
            raise KeyError

    raises(KeyError, fail)
    assert q.try_pop() is None and len(q) == 0

    q.push_many(number(3) + number(4))
    with q.take() as slot:
        assert bytes(slot.data) == number(3) and not q.try_push(number(5))
        slot.release()
        assert q.try_push(number(5))
    assert value(q.take().data) == 4, "by what keeps its slot"
    assert value(q.pop()) == 5

    data = q.claim().data  # forgotten, but for this
    q.push(number(6))
    gc.collect()
    assert q.try_pop() is None
    del data
    gc.collect()
    assert value(q.pop()) == 6
    q.claim()
    assert len(q) == 0 or q.try_pop() is None

    slot, taken = q.claim(), None
    slot.commit()
    taken = q.take()
    left = q.claim()
    view = left.data
    q.close()
    for each in (taken, left):
        raises(shmkit.ShmError, lambda: each.data, "ERR_SHM_CLOSED")
        each.release()
    raises(TypeError, taken.commit)
    raises(shmkit.ShmError, left.commit, "ERR_SHM_CLOSED")
    view[:] = number(7)  # of no use, and no harm
    with shmkit.SharedQueue.attach("q") as again:
        assert again.lost == 0 and again.try_pop() is None
        again.push_many(number(1) + number(2))
        again.unlink()


@scenario
def waits_of_a_queue_end():
    without_numpy()
    q = queue_of(1, (), "int64")
    for act in (q.pop, q.take, lambda timeout: q.pop_many(5, timeout)):
        for timeout in (0, 0.001, 0.1):
            began = time.monotonic()
            raises(TimeoutError, lambda: act(timeout), "ERR_SHM_TIMEOUT")
            assert timeout <= time.monotonic() - began < timeout + 10
    q.push(number(1))
    for act in (q.claim, lambda timeout: q.push(number(2), timeout)):
        for timeout in (0, 0.001, 0.1):
            raises(TimeoutError, lambda: act(timeout), "ERR_SHM_TIMEOUT")
    error = raises(TimeoutError, lambda: q.push_many(number(2) * 3, 0.01), "ERR_SHM_TIMEOUT")
    assert error.pushed == 0
    q.pop()
    error = raises(TimeoutError, lambda: q.push_many(number(2) * 3, 0.01), "ERR_SHM_TIMEOUT")
    assert error.pushed == 1 and value(q.pop()) == 2

    def waiting(act, let_go):
        other = shmkit.SharedQueue.attach("q")
        outcome = []

        def wait():
            try:
                outcome.append(act(other))
            except shmkit.ShmError as error:
                outcome.append(error.code)

        thread = threading.Thread(target=wait)
        thread.start()
        until(sleeps)
        let_go(other)
        thread.join(20)
        return outcome

    def sleeps():
        with open("/dev/shm/q", "rb") as file:
            return any(word & 1 for word in struct.unpack("=II", os.pread(file.fileno(), 8, 260)))

    assert waiting(lambda other: value(other.pop()), lambda _: q.push(number(3))) == [3]
    assert waiting(lambda other: other.pop(), lambda other: other.close()) == ["ERR_SHM_CLOSED"]
    q.push(number(4))
    assert waiting(lambda other: other.push(number(5)), lambda _: q.pop()) == [None]
    assert waiting(lambda other: other.claim(), lambda other: other.close()) == ["ERR_SHM_CLOSED"]
    assert waiting(lambda other: other.push(number(6)), lambda _: q.end()) == ["ERR_SHM_ENDED"]
    assert value(q.pop()) == 5 and q.pop() is None
    q.unlink()
    q = queue_of(1, (), "int64")
    assert waiting(lambda other: [value(item) for item in other], lambda _: (q.push(number(7)), q.end())) == [[7]]
    q.unlink()


@scenario
def ctrl_c_ends_a_wait_of_a_queue():
    q = queue_of(1, (), "int64")
    for body in ("wait_for_item", "wait_for_room"):
        peer = spawn(body, "q")
        assert peer.hear() == "ready"
        with open("/dev/shm/q", "rb") as file:
            at = 260 if body == "wait_for_item" else 264
            until(lambda: struct.unpack("=I", os.pread(file.fileno(), 4, at))[0] & 1)
        os.kill(peer.pid, signal.SIGINT)
        assert peer.hear() == "interrupted"
        if body == "wait_for_item":
            q.push(number(1))
        else:
            q.pop()
        assert peer.hear() == "went on"
        peer.end()
        while q.try_pop() is not None:
            pass
        q.push(number(1))
    assert q.lost == 0
    q.unlink()


@scenario
def threads_share_a_queue():
    without_numpy()
    q = queue_of(7, (), "int64")
    times, got = 3000, [[] for _ in range(3)]

    def push(first):
        for n in range(first, first + times):
            if n % 5 == 0:
                with q.claim() as slot:
                    slot.data[:] = number(n)
            elif n % 5 == 1:
                while not q.try_push(number(n)):
                    time.sleep(0)
            else:
                q.push(number(n), timeout=20)

    def take(mine):
        while True:
            with_slot = len(mine) % 3
            if with_slot == 0:
                items = q.pop_many(4)
            elif with_slot == 1:
                items = q.pop()
            else:
                slot = q.take()
                items = None
                if slot is not None:
                    with slot:
                        items = bytes(slot.data)
            if items is None:
                return
            mine.extend(struct.unpack(f"={len(items) // 8}q", items))

    producers = [threading.Thread(target=push, args=(n * times,)) for n in range(3)]
    consumers = [threading.Thread(target=take, args=(mine,)) for mine in got]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    q.end()
    for thread in consumers:
        thread.join()
    assert sorted(sum(got, [])) == list(range(3 * times)) and q.lost == 0
    q.unlink()


def pass_on(source, target):
    for item in source:
        target.push(item)


@scenario
def processes_get_a_queue_as_an_argument():
    without_numpy()
    for method in ("fork", "spawn", "forkserver"):
        if method != "fork" and sys.argv[0] == "-c":
            continue
        context = multiprocessing.get_context(method)
        with queue_of(5, (), "int64", name="in") as source, queue_of(5, (), "int64", name="out") as target:
            workers = [context.Process(target=pass_on, args=(source, target)) for _ in range(2)]
            for worker in workers:
                worker.start()
            sender = threading.Thread(target=lambda: source.push_many(b"".join(map(number, range(500)))))
            sender.start()
            assert sorted(value(target.pop(30)) for _ in range(500)) == list(range(500))
            sender.join()
            source.end()
            for worker in workers:
                worker.join()
                assert worker.exitcode == 0
            assert (source.lost, target.lost) == (0, 0)
            source.unlink()
            target.unlink()
    with queue_of(2) as q:
        with pickle.loads(pickle.dumps(q)) as same:
            assert same.to_json() == q.to_json()
        pickled = pickle.dumps(q)
        q.unlink()
    with queue_of(2) as q:
        raises(shmkit.ShmError, lambda: pickle.loads(pickled), "ERR_SHM_UNLINKED")
        q.unlink()


@scenario
def a_forked_child_takes_part_for_itself():
    without_numpy()
    q = queue_of(4, (), "int64")
    claimed, taken = q.claim(), None
    q.unlink()  # a child needs no name

    def child(peer, spares):
        raises(shmkit.ShmError, lambda: claimed.data, "ERR_SHM_CLOSED")
        if spares:
            raises(shmkit.ShmError, claimed.commit, "ERR_SHM_CLOSED")
        claimed.release()
        enter(claimed)
        q.push(number(2), timeout=20)
        mine = q.claim()
        peer.tell("has it")
        if not spares:
            peer.hear()
        mine.data[:] = number(3)
        mine.commit()
        q.close()
        raises(shmkit.ShmError, q.pop, "ERR_SHM_CLOSED")

    peer = fork(child, True)
    assert peer.hear() == "has it"
    peer.end()
    assert q.try_pop() is None, "what the parent has claimed is first"
    claimed.data[:] = number(1)
    claimed.commit()
    assert [value(q.pop(20)) for _ in range(3)] == [1, 2, 3] and q.lost == 0

    claimed = q.claim()
    claimed.commit()
    assert value(q.pop()) is not None
    peer = fork(child, False)
    assert peer.hear() == "has it"
    peer.kill()
    assert value(q.pop(20)) == 2
    q.push(number(4))
    assert value(q.pop(20)) == 4 and q.lost == 1, "what a killed child had is passed over"

    def waits(peer):
        peer.tell(value(q.pop(20)))

    peers = [fork(waits) for _ in range(3)]
    q.push_many(number(5) + number(6) + number(7))
    assert sorted(peer.hear() for peer in peers) == [5, 6, 7]
    for peer in peers:
        peer.end()
    q.close()

    single = queue_of(4, (), "int64", spsc=True)
    single.push(number(1))
    consumer = fork(lambda peer: peer.tell([value(item) for item in single]))
    single.push_many(b"".join(map(number, range(2, 100))))
    single.end()
    assert consumer.hear() == list(range(1, 100))
    consumer.end()
    fork(lambda peer: raises(shmkit.ShmError, lambda: single.push(number(1)), "ERR_SHM_TOO_MANY")).end()
    fork(lambda peer: single.try_pop()).end()  # its consumer is dead, and this the next one
    single.unlink()


@scenario
def forks_in_the_middle_of_a_queue():
    """While other threads wait, push, and put in order what the dead left."""
    without_numpy()
    q = queue_of(3, (), "int64")
    stop = threading.Event()

    def work():
        while not stop.is_set():
            q.try_push(number(1))
            try:
                q.pop(0.002)
            except TimeoutError:
                pass

    def child(peer, dies):
        for _ in range(20):
            q.push(number(2), timeout=20)
            q.pop(timeout=20)
        if dies:
            kept = q.take(20)
            assert kept is not None
            os.kill(os.getpid(), signal.SIGKILL)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = [(fork(child, dies), dies) for dies in (False, True) * 12]
    for peer, dies in children:
        peer.end(signal.SIGKILL if dies else 0)
    stop.set()
    for thread in threads:
        thread.join()
    # A slot is taken back by who comes across it.
    for n in range(12):
        q.try_pop()
        q.push(number(n), timeout=20)
        q.pop(timeout=20)
    assert q.lost == 12, q.lost
    q.unlink()


@scenario
def a_handler_that_forks_in_a_wait_of_a_queue():
    without_numpy()
    q = queue_of(4, (), "int64")
    child = None

    def handler(*_):
        nonlocal child
        child = os.fork()

    signal.signal(signal.SIGALRM, handler)

    def disturb():
        with open("/dev/shm/q", "rb") as file:
            until(lambda: struct.unpack("=I", os.pread(file.fileno(), 4, 260))[0] & 1)
        os.kill(os.getpid(), signal.SIGALRM)
        until(lambda: child is not None)
        q.push_many(number(1) + number(2))

    thread = threading.Thread(target=disturb)
    thread.start()
    got = value(q.pop(20))
    if child == 0:
        os._exit(got)
    thread.join()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert sorted((got, status)) == [1, 2]
    q.unlink()


@scenario
def the_dead_take_only_what_they_had():
    without_numpy()
    for holds, lost in (("claim", 1), ("take", 1), ("nothing", 0)):
        q = queue_of(2, (), "int64")
        q.push(number(1))

        def child(peer):
            mine = getattr(q, holds, lambda: None)()
            peer.tell("ready")
            peer.hear()
            del mine

        peer = fork(child)
        assert peer.hear() == "ready"
        peer.kill()
        if holds == "take":
            q.push(number(2))
        assert value(q.pop(20)) == (2 if holds == "take" else 1)
        for n in (3, 4):
            q.push(number(n), timeout=20)
            assert value(q.pop(20)) == n
        assert q.lost == lost
        # Who only tries gets over them as well.
        peer = fork(child) if holds == "claim" else None
        if peer is not None:
            assert peer.hear() == "ready"
            q.push(number(5))
            peer.kill()
            until(lambda: q.try_pop() is not None)
            assert q.lost == 2
        q.unlink()
        q.close()


@scenario
def numpys_items_of_a_queue():
    import numpy

    for dtype in DTYPES:
        with queue_of(8, (2, 3), dtype) as q:
            item = numpy.arange(6).reshape(2, 3).astype(dtype)
            q.push(item)
            q.push(item.T.T[::1])
            q.push(item.tolist())
            q.push(item.tobytes())
            q.push_many(numpy.stack([item, item]))
            with q.claim() as slot:
                assert slot.data.shape == (2, 3) and str(slot.data.dtype) == dtype and slot.data.flags.writeable
                slot.data[...] = item[::-1]
                numpy.asarray(slot)[...] = item
            first = q.pop()
            assert first.dtype == dtype and (first == item).all() and first.flags.owndata is False
            first[...] = 0  # its own memory
            batch = q.pop_many(2)
            assert batch.shape == (2, 2, 3) and (batch == item).all()
            rest = [each for each in (q.pop_many(), q.try_pop()) if each is not None]
            assert [each.shape for each in rest] == [(4, 2, 3)] and (rest[0] == item).all()
            for wrong in (item[0], item.T, numpy.zeros((1, 2, 3)), 5):
                raises((ValueError, TypeError), lambda: q.push(wrong))
            raises(ValueError, lambda: q.push_many(item), "ERR_OUT_OF_RANGE")
            q.unlink()
    with queue_of(8, 4, "int32") as q:
        error = raises(TypeError, lambda: q.push(numpy.zeros(4)), "ERR_SHM_DTYPE")
        assert "float64" in str(error) and "int32" in str(error)
        q.push(numpy.ones(4, "int8"))
        q.push(numpy.arange(8, dtype="int32")[::2])
        with q.take() as slot:
            assert slot.data.tolist() == [1] * 4
        assert q.pop().tolist() == [0, 2, 4, 6]
        q.push_many(numpy.arange(32, dtype="int32").reshape(8, 4))
        q.end()
        assert [each.tolist() for each in q.batches(3)][0] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
        q.unlink()
    with queue_of(8) as q:
        q.push(0.5)
        q.push(2)
        q.push(numpy.float32(1.5))
        assert q.pop() == 0.5 and isinstance(q.pop(), numpy.float64)
        q.push_many([1, 2, 3])
        assert q.pop_many().tolist() == [1.5, 1, 2, 3]
        with q.claim() as slot:
            slot.data[...] = 7
        q.end()
        assert list(q) == [7.0]
        kept = slot
        q.unlink()
    raises(shmkit.ShmError, lambda: kept.data, "ERR_SHM_CLOSED")


@scenario
def numpys_slots_stay_mapped():
    import numpy

    q = queue_of(2, 1000, "uint8")
    slot = q.claim()
    data = slot.data
    slot.commit()
    q.unlink()
    q.close()
    del q, slot
    gc.collect()
    data[:] = 1  # of no use, and no crash
    assert data.sum() == 1000

    def mapped():
        with open("/proc/self/maps") as file:
            return " /dev/shm/" in file.read()

    assert mapped()
    del data
    gc.collect()
    assert not mapped(), "and not longer"
    assert numpy is not None
