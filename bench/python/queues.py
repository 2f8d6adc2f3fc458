"""Messages of 64 bytes between two Python processes: cloudtoid-interprocess and iceoryx2, each where it is installed.

Both as their documentation has them. The one who sends tries again while there is no room, and the one who receives while
there is nothing: neither has a way to wait that is as fast.
"""

import ctypes
import multiprocessing
import signal
from time import perf_counter_ns

try:
    import cloudtoid_interprocess
except ImportError:
    cloudtoid_interprocess = None

try:
    import iceoryx2
except ImportError:
    iceoryx2 = None

from held import hold

SIZE = 64
# Room for so many, as the queues of partner.js have.
SLOTS = 1024
# Bytes of that many messages of cloudtoid's, with their headers: the next power of two.
CAPACITY = 1 << 17
# The system ends a process in which nothing happens any more; whoever waits for it sees that.
WITHIN = 60


class _Interprocess:
    """Bytes in a ring."""

    def __init__(self, name, first):
        make = cloudtoid_interprocess.Publisher if first else cloudtoid_interprocess.Subscriber
        self.end = make(name, CAPACITY)

    def meet(self):
        pass

    def send(self, n):
        try_send, message = self.end.try_send, b"\1" * SIZE
        for _ in range(n):
            while not try_send(message):
                pass

    def receive(self, n):
        receive, total = self.end.receive, 0
        for _ in range(n):
            total += receive(WITHIN)[0]
        return total

    def close(self):
        self.end.close()


class _Message(ctypes.Structure):
    _fields_ = [("data", ctypes.c_uint8 * SIZE)]


class _Iceoryx:
    """A service with one publisher, which waits for its one subscriber."""

    def __init__(self, name, first):
        iceoryx2.set_log_level(iceoryx2.LogLevel.Fatal)
        self.node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        service = self.node.service_builder(iceoryx2.ServiceName.new(name)).publish_subscribe(_Message)
        service = service.enable_safe_overflow(False).subscriber_max_buffer_size(SLOTS).open_or_create()
        if first:
            retry = iceoryx2.BackpressureStrategy.RetryUntilDelivered
            self.end = service.publisher_builder().backpressure_strategy(retry).create()
        else:
            self.end = service.subscriber_builder().buffer_size(SLOTS).create()

    def meet(self):
        # Sees the publisher. Until then what it sends may be lost, a buffer of it.
        if self.end.receive() is not None:
            raise ValueError("a message of nobody's")

    def send(self, n):
        loan, message = self.end.loan_uninit, _Message((1,) * SIZE)
        for _ in range(n):
            loan().write_payload(message).send()

    def receive(self, n):
        receive, total = self.end.receive, 0
        for _ in range(n):
            while (sample := receive()) is None:
                pass
            total += sample.payload().contents.data[0]
        return total

    def close(self):
        self.end.delete()


SORTS = {"interprocess": _Interprocess, "iceoryx": _Iceoryx}


def _sender(sort, name, pipe):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = SORTS[sort](name, True)
    pipe.send("ready")
    while (n := pipe.recv()) > 0:
        signal.alarm(WITHIN)
        end.send(n)
        signal.alarm(0)
    end.close()


class _Pair:
    """This process receives, and another one sends."""

    def __init__(self, sort, name):
        self.end = SORTS[sort](name, False)
        # spawn: a fork would share what this process holds.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.child = context.Process(target=_sender, args=(sort, name, theirs), daemon=True)
        self.child.start()
        theirs.close()
        self.pipe.recv()
        self.end.meet()

    def run(self, n):
        signal.alarm(WITHIN)
        start = perf_counter_ns()
        self.pipe.send(n)
        total = self.end.receive(n)
        elapsed = perf_counter_ns() - start
        signal.alarm(0)
        if total != n:
            raise ValueError(f"{total} of {n} messages")
        return elapsed

    def close(self):
        self.pipe.send(0)
        self.child.join()
        self.end.close()


def items(iterations, sort, times, name):
    pair = hold(("queue", sort, name), lambda: _Pair(sort, name), _Pair.close)
    return pair.run(iterations * times)


SNIPPETS = {"queue.items": items}
