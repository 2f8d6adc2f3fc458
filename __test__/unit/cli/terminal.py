"""A command in a terminal of its own, and a person who waits for what it shows before each step."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

DEADLINE = 40
ROWS, COLUMNS = 24, 100

asked = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    os.execvp(asked["command"][0], asked["command"])

shown, seen, steps = b"", 0, list(asked["steps"])
until = time.monotonic() + DEADLINE
while True:
    if not select.select([terminal], [], [], max(0, until - time.monotonic()))[0]:
        os.kill(pid, 9)
        sys.exit("waiting for %r after %r" % (steps[:1], shown))
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the last process has closed it
        break
    if not chunk:
        break
    shown += chunk
    while steps and steps[0]["see"].encode() in shown[seen:]:
        step = steps.pop(0)
        seen = shown.index(step["see"].encode(), seen) + len(step["see"].encode())
        if "run" in step:
            subprocess.run(step["run"], check=True)
        if "send" in step:
            os.write(terminal, step["send"].encode())

status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
sys.stdout.flush()
if steps:
    sys.exit("never seen: %r" % steps)
if os.WIFSIGNALED(status):
    os.kill(os.getpid(), os.WTERMSIG(status))
sys.exit(os.WEXITSTATUS(status))
