"""The Python side of the benchmarks: a JSON line in names a snippet, a JSON line out says how long it took.

Each snippet is called with a number of iterations and its arguments, and answers the nanoseconds of what
counts. What it prepares is not in them.
"""

import json
import platform
import signal
import sys
import traceback

import dicts
import arrays
import handover
import held
import lists
import locks
import pipelines
import queues
import managers
import segments


def main():
    # Ctrl-C reaches the whole process group; the end of stdin says when to go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    snippets = {
        **segments.SNIPPETS,
        **lists.SNIPPETS,
        **handover.SNIPPETS,
        **locks.SNIPPETS,
        **dicts.SNIPPETS,
        **arrays.SNIPPETS,
        **pipelines.SNIPPETS,
        **queues.SNIPPETS,
        **managers.SNIPPETS,
        "release": held.release_all,
    }
    try:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                if "snippet" not in request:
                    answer = {"python": platform.python_version(), "numpy": handover.numpy_version()}
                else:
                    run = snippets[request["snippet"]]
                    answer = {"ns": run(request["iterations"], **request["args"])}
            except Exception as error:
                traceback.print_exc()
                answer = {"error": repr(error)}
            print(json.dumps(answer), flush=True)
    finally:
        held.release_all()


if __name__ == "__main__":
    main()
