"""What scenarios are made of."""

import os

import shmkit

TIMES = 2000
SCENARIOS = {}


def scenario(body):
    SCENARIOS[body.__name__] = body
    return body


def raises(kind, action, code=None):
    try:
        action()
    except kind as error:
        assert code is None or error.code == code, error
        return error
    raise AssertionError(f"no {kind.__name__}")


def files():
    """What there is in /dev/shm but for the ledgers."""
    return sorted(name for name in os.listdir("/dev/shm") if not name.startswith(".shmkit-"))


def mutex(name="m"):
    return shmkit.SharedMutex.create_or_attach(name)


def enter(txn):
    with txn:
        pass
