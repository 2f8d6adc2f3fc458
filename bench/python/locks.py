"""multiprocessing's Lock and Event: alone, and between two Python processes. The pairs are those of partner.js."""

import multiprocessing
import signal
from time import perf_counter_ns

from held import hold

# The system ends a process in which nothing happens any more; whoever waits for it sees that.
WITHIN = 60
# Nanoseconds in which turns are taken; then there are fewer of them.
LIMIT = 500_000_000
# Whose turn it is when the time is over.
OVER = 2


def cycle(iterations, blocking=True):
    lock = multiprocessing.Lock()
    if blocking:
        start = perf_counter_ns()
        for _ in range(iterations):
            lock.acquire()
            lock.release()
        return perf_counter_ns() - start
    start = perf_counter_ns()
    for _ in range(iterations):
        lock.acquire(False)
        lock.release()
    return perf_counter_ns() - start


class _Shared:
    """What the two of a pair have in common."""

    def __init__(self, context):
        self.lock = context.Lock()
        self.events = (context.Event(), context.Event())
        self.ready, self.turn, self.count = (context.Value("i", 0, lock=False) for _ in range(3))

    def reset(self):
        self.ready.value = self.turn.value = self.count.value = 0

    def meet(self):
        with self.lock:
            self.ready.value += 1
        while self.ready.value < 2:
            pass


def _turns(shared, side, n, laps):
    acquire, release = shared.lock.acquire, shared.lock.release
    turn, count, other = shared.turn, shared.count, 1 - side
    until = perf_counter_ns() + LIMIT
    turns = 0
    going = True
    while going:
        acquire()
        whose = turn.value
        if whose == side:
            if laps is not None:
                laps.append(perf_counter_ns())
            count.value += 1
            turns += 1
            # Where another program has a processor, each turn may take as long as the system lets that go on.
            over = side == 0 and turns & 15 == 0 and perf_counter_ns() > until
            turn.value = OVER if over else other
            going = turns < n and not over
        elif whose == OVER:
            going = False
        release()


def _increments(shared, _side, n, _laps):
    acquire, release = shared.lock.acquire, shared.lock.release
    count, total = shared.count, 2 * n
    going = True
    while going:
        acquire()
        if count.value < total:
            count.value += 1
        else:
            going = False
        release()


def _events(shared, side, n, laps):
    mine, theirs = shared.events[side], shared.events[1 - side]
    for _ in range(n):
        if side == 0:
            theirs.set()
        mine.wait()
        mine.clear()
        if side == 1:
            theirs.set()
        if laps is not None:
            laps.append(perf_counter_ns())


ROLES = {"turns": _turns, "increments": _increments, "events": _events}


def _work(shared, role, side, n, timing):
    laps = [] if timing else None
    shared.meet()
    begin = perf_counter_ns()
    ROLES[role](shared, side, n, laps)
    return begin, perf_counter_ns(), laps


def _partner(pipe, shared, role):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send(None)
    while job := pipe.recv():
        signal.alarm(WITHIN)
        begin, end, _ = _work(shared, role, 1, *job)
        signal.alarm(0)
        pipe.send((begin, end))


class _Pair:
    def __init__(self, role):
        # spawn: a fork would share what this process holds.
        context = multiprocessing.get_context("spawn")
        self.role = role
        self.shared = _Shared(context)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_partner, args=(theirs, self.shared, role), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def work(self, n, timing):
        shared = self.shared
        shared.reset()
        signal.alarm(WITHIN)
        self.pipe.send((n, timing))
        begin, end, laps = _work(shared, self.role, 0, n, timing)
        other_begin, other_end = self.pipe.recv()
        signal.alarm(0)
        elapsed = max(end, other_end) - min(begin, other_begin)
        if self.role == "events":
            return elapsed, laps
        count = shared.count.value
        if count != 2 * n and shared.turn.value != OVER:
            raise ValueError(f"two who both did {n} counted to {count}")
        return elapsed * 2 * n / count, laps

    def stop(self):
        self.pipe.send(None)
        self.process.join(10)
        self.process.kill()


def pair(iterations, role, times):
    elapsed, _ = hold(("pair", role), lambda: _Pair(role), _Pair.stop).work(iterations * times, False)
    return elapsed


def lap(_iterations, role, n, quantile):
    _, laps = hold(("pair", role), lambda: _Pair(role), _Pair.stop).work(n, True)
    times = sorted(after - before for before, after in zip(laps, laps[1:]))
    return times[min(len(times) - 1, int(quantile * len(times)))]


SNIPPETS = {"lock.cycle": cycle, "lock.pair": pair, "lock.lap": lap}
