"""As starter.js, in Python."""

from multiprocessing import resource_tracker, shared_memory  # noqa: F401 (importing is not starting)
from multiprocessing.managers import SharedMemoryManager
from time import perf_counter_ns

if __name__ == "__main__":
    began = perf_counter_ns()
    manager = SharedMemoryManager()
    manager.start()
    ns = perf_counter_ns() - began
    manager.shutdown()
    print(ns)
