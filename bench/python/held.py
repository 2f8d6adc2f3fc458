"""What a row's snippets keep from one round to the next, made once and released when the row is done."""

_held = {}


def hold(key, make, release):
    """The object under `key`; the first call makes it."""
    if key not in _held:
        _held[key] = (make(), release)
    return _held[key][0]


def release_all(_iterations=0):
    while _held:
        _, (held, release) = _held.popitem()
        release(held)
    return 0
