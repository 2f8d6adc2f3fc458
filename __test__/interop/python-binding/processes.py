"""Other processes for the scenarios: forked or spawned, asked and answered by a pipe. Every wait has a watchdog."""

import os
import signal
import subprocess
import sys
import time
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import Connection

PATIENCE = 30


class Peer:
    """This end of another process."""

    def __init__(self, pid, pipe):
        self.pid = pid
        self.pipe = pipe

    def hear(self):
        """What it says next."""
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"nothing from {self.pid}")
        return self.pipe.recv()

    def tell(self, what):
        self.pipe.send(what)

    def end(self, expected=0):
        """Waits for its end."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                assert status == expected, f"it ended with {status:#x}"
                return
            time.sleep(0.002)
        os.kill(self.pid, signal.SIGKILL)
        raise TimeoutError(f"{self.pid} did not end")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.end(signal.SIGKILL)


def fork(body, *args):
    """A forked child, which does `body(peer, *args)` and ends."""
    mine, its = Pipe()
    pid = os.fork()
    if pid:
        its.close()
        return Peer(pid, mine)
    status = 1
    try:
        mine.close()
        body(Peer(os.getppid(), its), *args)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def spawn(body, *args):
    """As `fork`, of a process of its own, which does the function of that name in `bodies.py`."""
    mine, its = Pipe()
    fd = its.fileno()
    command = [sys.executable, "-m", "bodies", body, str(fd), *map(str, args)]
    child = subprocess.Popen(command, pass_fds=[fd], cwd=os.path.dirname(os.path.abspath(__file__)))
    child.returncode = 0  # waited for by `end`
    its.close()
    return Peer(child.pid, mine)


def spawned(functions):
    """The other side of `spawn`."""
    body, fd, *args = sys.argv[1:]
    functions[body](Peer(os.getppid(), Connection(int(fd))), *args)


def until(condition):
    """Polls until the condition holds, which another process or thread causes."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError("it did not happen")
        time.sleep(0.001)


def is_asleep(pid):
    """Whether the main thread of a process sleeps, as it does once it blocks."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1] == b"S"
