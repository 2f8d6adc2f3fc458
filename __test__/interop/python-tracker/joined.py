"""A Python parent whose Node child joins its resource tracker: `joined.py NODE CODE NAME CASE`."""

import subprocess
import sys
from multiprocessing import resource_tracker, shared_memory

node, code, name, case = sys.argv[1:]


def start(fd):
    command = [node, "--input-type=module", "-e", code, str(fd), name, case]
    child = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


def go_on(child):
    child.stdin.write("go on\n")
    child.stdin.flush()
    child.wait()


resource_tracker.ensure_running()
tracker = resource_tracker.getfd()
if case == "python creates":
    shm = shared_memory.SharedMemory(name=name, create=True, size=10)
    child = start(tracker)
    shm.close()
    go_on(child)
else:
    child = start(tracker)
    shm = shared_memory.SharedMemory(name=name)
    shm.buf[0] += 1
    shm.close()
    if case == "killed":
        child.kill()
        child.wait()
    else:
        go_on(child)
