"""Broadcasts: one writer, readers at places of their own, waits that end, and processes that fork and die."""

import os
import pickle
import signal
import struct
import threading

import shmkit
from processes import fork, spawn, until
from queues import number, value, without_numpy
from scenario import files, raises, scenario

# Where in the file readers sleep, and where the writer does.
ITEMS, ROOM = 192, 256


def broadcast_of(slots, *args, name="b", **options):
    return shmkit.SharedBroadcast.create(slots, *args, name=name, **options)


def rest(subscription):
    return [value(item) for item in iter(subscription.try_next, None)]


def sleeps(at):
    with open("/dev/shm/b", "rb") as file:
        return struct.unpack("=I", os.pread(file.fileno(), 4, at))[0] & 1


@scenario
def a_broadcast_passes_bytes_without_numpy():
    without_numpy()
    b = broadcast_of(3, (), "int64")
    assert (b.name, b.slots, b.shape, b.dtype, b.on_slow) == ("b", 3, (), "int64", "block")
    assert (b.published, b.subscribers, b.ended, b.closed) == (0, 0, False, False)
    b.publish(number(0))
    one, two = b.subscribe(), b.subscribe(oldest=True)
    assert b.subscribers == 2 and (len(one), len(two)) == (0, 1) and one.try_next() is None
    assert b.try_publish(bytearray(number(1))) and b.try_publish(memoryview(number(2)))
    assert b.try_publish(number(3)) is False, "one of them has not read the first"
    assert "2 subscribers" in repr(b) and "3 behind, 0 lost" in repr(two)
    assert (two.next(), two.next_many(1), two.next_many()) == (number(0), number(1), number(2))
    b.publish_many(number(3))
    assert rest(one) == [1, 2, 3] and one.lost == 0
    for item in (b"", b"1234567", b"123456789"):
        assert str(len(item)) in str(raises(ValueError, lambda: b.publish(item), "ERR_OUT_OF_RANGE"))
    for item in (5, "12345678", None):
        raises(TypeError, lambda: b.publish(item))
    b.end()
    for act in (b.publish, b.try_publish):
        raises(shmkit.ShmError, lambda: act(number(1)), "ERR_SHM_ENDED")
    assert raises(shmkit.ShmError, lambda: b.publish_many(number(1)), "ERR_SHM_ENDED").published == 0
    assert [value(item) for item in two] == [3] and b.ended and b.published == 4
    assert (two.next(), two.try_next(), two.next_many(), list(two), list(two.batches())) == (None, None, None, [], [])
    two.close()
    two.close()
    assert two.closed and not one.closed and "closed" in repr(two) and two.lost == 0 and b.subscribers == 1
    for act in (two.next, two.try_next, two.next_many, lambda: len(two), lambda: list(two), lambda: list(two.batches())):
        raises(shmkit.ShmError, act, "ERR_SHM_CLOSED")
    b.close()
    b.close()
    assert b.closed and one.closed and "closed" in repr(b) and "closed" in repr(one) and b.slots == 3
    for act in (one.next, one.try_next, lambda: len(one), b.subscribe, b.end, b.adopt, lambda: b.published,
                lambda: b.subscribers, lambda: b.ended, lambda: b.publish(number(1)), lambda: pickle.dumps(b)):
        raises(shmkit.ShmError, act, "ERR_SHM_CLOSED")
    one.close()
    b.unlink()


@scenario
def what_a_broadcast_cannot_be():
    without_numpy()
    for slots in (0, -1, 2**24 + 1, 2**40):
        assert str(slots) in str(raises(ValueError, lambda: broadcast_of(slots), "ERR_OUT_OF_RANGE"))
    raises(ValueError, lambda: broadcast_of(3, on_slow="wait"), "ERR_OUT_OF_RANGE")
    raises(ValueError, lambda: broadcast_of(3, (0,)), "ERR_OUT_OF_RANGE")
    raises(ValueError, lambda: broadcast_of(3, dtype="c8"), "ERR_OUT_OF_RANGE")
    raises(TypeError, lambda: broadcast_of(2.5))
    assert files() == []
    raises(FileNotFoundError, lambda: shmkit.SharedBroadcast.attach("b"), "ENOENT")
    with shmkit.SharedQueue.create(3, name="b") as queue:
        raises(shmkit.ShmError, lambda: shmkit.SharedBroadcast.attach("b"), "ERR_SHM_NOT_A_BROADCAST")
        raises(shmkit.ShmError, lambda: shmkit.SharedBroadcast.attach(queue.to_json()), "ERR_SHM_KIND")
        queue.unlink()
    b = broadcast_of(3, mode=0o640)
    assert os.stat("/dev/shm/b").st_mode & 0o777 == 0o640
    again = pickle.loads(pickle.dumps(b))
    assert again.to_json() == b.to_json() == shmkit.attach(b.to_json()).to_json() and b.to_json()["kind"] == "broadcast"
    raises(TypeError, lambda: pickle.dumps(b.subscribe()))
    for _ in range(300):  # 255 can have it open
        error = raises(shmkit.ShmError, lambda: shmkit.SharedBroadcast.attach("b", dtype="i4", shape=2), "ERR_SHM_MISMATCH")
    assert "another broadcast: its elements are float64, not int32; its shape is [], not [2]" in str(error)
    shmkit.SharedBroadcast.attach("b", dtype="float64", shape=()).close()
    for max in (0, -1):
        raises((ValueError, OverflowError), lambda: b.subscribe().batches(max))
        raises((ValueError, OverflowError), lambda: b.subscribe().next_many(max))
    for timeout in (-1, float("nan")):
        raises(ValueError, lambda: b.subscribe().next(timeout))
        raises(ValueError, lambda: b.publish(number(1), timeout))
    assert b.subscribers == 0, "those that were forgotten hold nobody up"
    b.publish(number(1))
    error = raises(shmkit.ShmError, lambda: again.publish(number(2)), "ERR_SHM_TOO_MANY")
    assert str(os.getpid()) in str(error)
    b.close()
    again.publish(number(2))
    subscriptions = [again.subscribe() for _ in range(255)]
    raises(shmkit.ShmError, again.subscribe, "ERR_SHM_TOO_MANY")
    del subscriptions
    again.subscribe().close()
    again.unlink()


@scenario
def a_slow_reader_of_a_broadcast_is_told_what_it_lost():
    without_numpy()
    for slots in (1, 2, 5):
        b = broadcast_of(slots, (), "int64", "drop")
        one, many = b.subscribe(), b.subscribe()
        got = [[], []]
        for n in range(1000):
            assert b.try_publish(number(n))
            if n % (slots + n % 7) == 0:
                got[0] += rest(one)
            if n % 11 == 0:
                batch = many.next_many(3, 0)
                got[1] += struct.unpack(f"={len(batch) // 8}q", batch)
        b.end()
        got[0] += rest(one)
        got[1] += [n for batch in many.batches(2) for n in struct.unpack(f"={len(batch) // 8}q", batch)]
        for mine, subscription in zip(got, (one, many)):
            assert mine == sorted(set(mine)) and mine[-1] == 999 and subscription.lost > 0
            assert len(mine) + subscription.lost == b.published == 1000
        b.unlink()
        b.close()


@scenario
def waits_of_a_broadcast_end():
    without_numpy()
    b = broadcast_of(1, (), "int64")
    one = b.subscribe()
    for timeout in (0, 0.001, 0.05):
        for act in (one.next, lambda timeout: one.next_many(5, timeout)):
            raises(TimeoutError, lambda: act(timeout), "ERR_SHM_TIMEOUT")
    assert raises(TimeoutError, lambda: b.publish_many(number(1) * 3, 0.01), "ERR_SHM_TIMEOUT").published == 1
    raises(TimeoutError, lambda: b.publish(number(1), 0), "ERR_SHM_TIMEOUT")
    assert rest(one) == [1]

    def waiting(act, at, let_go):
        outcome = []

        def wait():
            try:
                outcome.append(act())
            except shmkit.ShmError as error:
                outcome.append(error.code)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: sleeps(at))
        let_go()
        thread.join(20)
        return outcome

    other = shmkit.SharedBroadcast.attach("b")
    two = other.subscribe()
    assert waiting(lambda: value(two.next()), ITEMS, lambda: b.publish(number(3))) == [3]
    assert waiting(lambda: two.next(), ITEMS, two.close) == ["ERR_SHM_CLOSED"]
    two = other.subscribe()
    assert waiting(lambda: two.next(), ITEMS, other.close) == ["ERR_SHM_CLOSED"]
    # `one` has not read it.
    assert waiting(lambda: b.publish(number(4)), ROOM, one.next) == [None]
    assert waiting(lambda: b.publish(number(5)), ROOM, one.close) == [None]
    one = b.subscribe()
    b.publish(number(6))
    assert waiting(lambda: b.publish(number(7)), ROOM, b.end) == ["ERR_SHM_ENDED"]
    assert rest(one) == [6]
    b.unlink()
    b.close()

    b = broadcast_of(1, (), "int64")
    one = b.subscribe()
    b.publish(number(1))
    assert waiting(lambda: b.publish(number(2)), ROOM, b.close) == ["ERR_SHM_CLOSED"]
    b.unlink()
    b = broadcast_of(1, (), "int64")
    one = b.subscribe()
    assert waiting(lambda: [value(item) for item in one], ITEMS, lambda: (b.publish(number(7)), b.end())) == [[7]]
    b.unlink()


@scenario
def ctrl_c_ends_a_wait_of_a_broadcast():
    without_numpy()
    b = broadcast_of(1, (), "int64")
    peer = spawn("wait_for_broadcast", "b")
    assert peer.hear() == "ready"
    until(lambda: sleeps(ITEMS))
    os.kill(peer.pid, signal.SIGINT)
    assert peer.hear() == "interrupted"
    b.publish(number(1))
    assert peer.hear() == "went on"
    peer.end()
    one = b.subscribe()
    b.close()
    assert one.closed
    b = shmkit.SharedBroadcast.attach("b")
    one = b.subscribe()
    peer = spawn("wait_to_publish", "b")
    assert peer.hear() == "ready"
    until(lambda: sleeps(ROOM))
    os.kill(peer.pid, signal.SIGINT)
    assert peer.hear() == "interrupted"
    assert one.next() is not None
    assert peer.hear() == "went on"
    peer.end()
    assert len(rest(one)) == 1 and one.lost == 0
    b.unlink()


@scenario
def a_forked_child_attaches_to_a_broadcast_anew():
    without_numpy()
    b = broadcast_of(4, (), "int64")
    one = b.subscribe()
    b.publish(number(1))

    def child(peer):
        assert b.closed and one.closed and "closed" in repr(b) and "closed" in repr(one)
        for act in (lambda: b.publish(number(2)), lambda: b.published, b.subscribe, b.end, one.next, one.try_next,
                    lambda: one.next_many(3), lambda: len(one), lambda: list(one), lambda: pickle.dumps(b)):
            assert "attach" in str(raises(shmkit.ShmError, act, "ERR_SHM_CLOSED"))
        one.close()  # takes nothing from the parent
        b.close()
        with shmkit.SharedBroadcast.attach(b.to_json()) as mine, mine.subscribe(oldest=True) as reader:
            assert value(reader.next()) == 1
            raises(shmkit.ShmError, lambda: mine.publish(number(2)), "ERR_SHM_TOO_MANY")
            peer.tell("reads")
            assert value(reader.next(20)) == 2

    peer = fork(child)
    assert peer.hear() == "reads" and b.subscribers == 2
    b.publish(number(2))
    peer.end()
    assert rest(one) == [1, 2] and b.subscribers == 1

    # Its parent is dead though the child has its descriptors: the next one is the writer, and need not wait for it.
    def parent(peer):
        b = shmkit.SharedBroadcast.attach("b")
        kept = b.subscribe()
        b.publish(number(3))

        def sits(inner):
            peer.tell(os.getpid())
            signal.pause()

        fork(sits)
        signal.pause()
        del kept

    b.close()
    peer = fork(parent)
    orphan = peer.hear()
    peer.kill()
    b = shmkit.SharedBroadcast.attach("b")
    for n in range(9):
        b.publish(number(n), 20)
    assert b.published == 12
    os.kill(orphan, signal.SIGKILL)
    b.unlink()


@scenario
def a_handler_that_forks_in_a_wait_of_a_broadcast():
    without_numpy()
    b = broadcast_of(4, (), "int64")
    one = b.subscribe()
    child = None

    def handler(*_):
        nonlocal child
        child = os.fork()

    signal.signal(signal.SIGALRM, handler)

    def disturb():
        until(lambda: sleeps(ITEMS))
        os.kill(os.getpid(), signal.SIGALRM)
        until(lambda: child is not None)
        b.publish(number(1))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        got = value(one.next(20))
    except shmkit.ShmError as error:
        os._exit(7 if child == 0 and error.code == "ERR_SHM_CLOSED" else 1)
    thread.join()
    assert got == 1 and child
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 7
    b.unlink()


@scenario
def threads_share_a_subscription():
    without_numpy()
    b = broadcast_of(7, (), "int64")
    shared, alone, got = b.subscribe(), b.subscribe(), [[] for _ in range(4)]
    times = 2000

    def publish(first):
        for n in range(first, first + times):
            b.publish(number(n), 20)

    def read(subscription, mine):
        for batch in subscription.batches(3):
            mine.extend(struct.unpack(f"={len(batch) // 8}q", batch))

    writers = [threading.Thread(target=publish, args=(n * times,)) for n in range(2)]
    readers = [threading.Thread(target=read, args=(shared if n else alone, got[n])) for n in range(4)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    b.end()
    for thread in readers:
        thread.join()
    assert sorted(got[0]) == sorted(sum(got[1:], [])) == list(range(2 * times))
    assert shared.lost == alone.lost == 0
    b.unlink()


@scenario
def numpys_items_of_a_broadcast():
    import numpy

    with broadcast_of(8, (2, 3), "int32") as b, b.subscribe() as one:
        item = numpy.arange(6, dtype="int32").reshape(2, 3)
        b.publish(item)
        b.publish(item.tolist())
        b.publish_many(numpy.stack([item, -item, item]))
        first = one.next()
        assert first.dtype == "int32" and (first == item).all()
        first[...] = 0  # its own memory
        assert (one.try_next() == item).all()
        batch = one.next_many(2)
        assert batch.shape == (2, 2, 3) and (batch[1] == -item).all() and len(one) == 1
        for wrong in (item[0], item.T, 5):
            raises((ValueError, TypeError), lambda: b.publish(wrong))
        raises(TypeError, lambda: b.publish(item.astype("float64")), "ERR_SHM_DTYPE")
        raises(ValueError, lambda: b.publish_many(item), "ERR_OUT_OF_RANGE")
        b.end()
        assert [each.shape for each in one.batches()] == [(1, 2, 3)]
        b.unlink()
    with broadcast_of(8) as b, b.subscribe() as one:
        b.publish(0.5)
        b.publish_many([1, 2, 3])
        assert isinstance(one.next(), numpy.float64) and one.next_many().tolist() == [1, 2, 3]
        b.unlink()
