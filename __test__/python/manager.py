"""A Python that has a manager, or is the client of one: does what one line of JSON after the other says."""

import json
import sys
from multiprocessing import resource_tracker
from multiprocessing.managers import SharedMemoryManager, dispatch
from multiprocessing.shared_memory import ShareableList, SharedMemory

TRACK_OPTION = sys.version_info >= (3, 13)


def untracked(shm):
    """From now on this process's resource tracker leaves it to the manager."""
    resource_tracker.unregister(shm._name, "shared_memory")
    return shm


def attach(name):
    return SharedMemory(name, track=False) if TRACK_OPTION else untracked(SharedMemory(name))


class Actor:
    def __init__(self, role, address, key):
        self.manager = SharedMemoryManager(address=address, authkey=key)
        self.is_client = role == "client"
        if self.is_client:
            self.manager.connect()
        else:
            self.manager.start()
        self.kept = []

    def keep(self, thing, shm):
        self.kept.append(thing)
        # What the manager's own process makes, and the manager itself, have one tracker.
        if self.is_client:
            untracked(shm)
        return shm.name

    def ask(self, method, *args):
        with self.manager._Client(self.manager.address, authkey=self.manager._authkey) as connection:
            return dispatch(connection, None, method, args)

    def segment(self, text):
        shm = self.manager.SharedMemory(64)
        shm.buf[: len(text)] = text.encode()
        return self.keep(shm, shm)

    def list(self, items):
        made = self.manager.ShareableList(items)
        return self.keep(made, made.shm)

    def read(self, name, count, then):
        """What is there, in place of which something is written."""
        shm = attach(name)
        text = bytes(shm.buf[:count]).decode()
        shm.buf[: len(then)] = then.encode()
        shm.close()
        return text

    def items(self, name, first):
        made = ShareableList(name=name)
        untracked(made.shm)
        items = list(made)
        made[0] = first
        made.shm.close()
        return items

    def names(self):
        return self.ask("list_segments")

    def facts(self):
        return [self.manager._number_of_objects(), self.manager._debug_info()]

    def release(self, name):
        return self.ask("release_segment", name)

    def refused(self, method, *args):
        """What the exception says."""
        try:
            self.ask(method, *args)
        except Exception as error:
            return str(error.args[0]).strip().splitlines()[-1]
        return None

    def shutdown(self):
        self.ask("shutdown")

    def stop(self):
        """Of the one who started it."""
        self.manager.shutdown()
        return self.manager._process.exitcode

    def kill(self):
        self.manager._process.kill()
        self.manager._process.join()


def main(role, address, key):
    address = json.loads(address)
    try:
        actor = Actor(role, tuple(address) if isinstance(address, list) else address, key.encode())
    except Exception as error:
        print(json.dumps(type(error).__name__), flush=True)
        return
    print(json.dumps(actor.manager.address), flush=True)
    for line in sys.stdin:
        method, *args = json.loads(line)
        print(json.dumps(getattr(actor, method)(*args)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
