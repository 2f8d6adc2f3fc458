"""The Python binding, one scenario a process: `scenarios.py NAME`. In a /dev/shm of its own, which must be empty in the
end."""

import faulthandler
import gc
import sys

import arrays  # noqa: F401
import basics  # noqa: F401
import broadcasts  # noqa: F401
import counting  # noqa: F401
import deaths  # noqa: F401
import dicts  # noqa: F401
import forks  # noqa: F401
import queues  # noqa: F401
import readers  # noqa: F401
import segments  # noqa: F401
import waits  # noqa: F401
from scenario import SCENARIOS, files

if __name__ == "__main__":
    faulthandler.dump_traceback_later(80, exit=True)
    SCENARIOS[sys.argv[1]]()
    gc.collect()
    assert files() == [], f"left behind: {files()}"
