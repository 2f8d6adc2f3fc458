"""The engine's side of the conformance tests: does what a line says, and answers with a line.

The Python binding runs the protocols that are written in Rust, step for step.
"""

import json
import sys

import numpy
import shmkit

handles = []
things = {}  # slots, subscriptions and guards, by their numbers


def value_of(item):
    return None if item is None else int(numpy.asarray(item).reshape(-1)[0])


def item_of(value):
    return numpy.array([value], "int32")


def keep(number, thing):
    if thing is None:
        return None
    things[number] = thing
    return "kept"


def open_queue(name, slots, spsc):
    queue = shmkit.SharedQueue.create(name=name, slots=slots, dtype="int32", shape=(1,), spsc=spsc)
    handles[:] = [queue, shmkit.SharedQueue.attach(name)]


def open_broadcast(name, slots, on_slow):
    broadcast = shmkit.SharedBroadcast.create(name=name, slots=slots, dtype="int32", shape=(1,), on_slow=on_slow)
    handles[:] = [broadcast, shmkit.SharedBroadcast.attach(name)]


def open_mutex(name):
    handles[:] = [shmkit.SharedMutex.create_or_attach(name), shmkit.SharedMutex.attach(name)]


def open_event(name):
    handles[:] = [shmkit.SharedEvent.create_or_attach(name), shmkit.SharedEvent.attach(name)]


def open_dict(name):
    handles[:] = [shmkit.SharedDict.create(name=name, max_byte_length=1 << 24), shmkit.SharedDict.attach(name)]


def write_slot(number, value):
    things[number].data[:] = value


def next_of(number):
    return value_of(things[number].try_next())


def finish(number, how):
    thing = things.pop(number)
    getattr(thing, how)()


OPERATIONS = {
    "open_queue": open_queue,
    "open_broadcast": open_broadcast,
    "open_mutex": open_mutex,
    "open_event": open_event,
    "open_dict": open_dict,
    "push": lambda h, value: handles[h].try_push(item_of(value)),
    "pop": lambda h: value_of(handles[h].try_pop()),
    "claim": lambda h, number: keep(number, handles[h].try_claim()),
    "take": lambda h, number: keep(number, handles[h].try_take()),
    "write": write_slot,
    "read": lambda number: value_of(things[number].data),
    "finish": finish,
    "length": lambda h: len(handles[h]),
    "lost": lambda h: handles[h].lost,
    "end": lambda h: handles[h].end(),
    "publish": lambda h, value: handles[h].try_publish(item_of(value)),
    "subscribe": lambda h, number, oldest: keep(number, handles[h].subscribe(oldest=oldest)),
    "next": next_of,
    "missed": lambda number: things[number].lost,
    "waiting": lambda number: len(things[number]),
    "published": lambda h: handles[h].published,
    "subscribers": lambda h: handles[h].subscribers,
    "lock": lambda h, number: keep(number, handles[h].try_lock()),
    "set_event": lambda h: handles[h].set(),
    "clear_event": lambda h: handles[h].clear(),
    "is_set": lambda h: handles[h].is_set(),
    "wait_event": lambda h: handles[h].wait(0),
    "get": lambda h, key: handles[h].get(key),
    "has": lambda h, key: key in handles[h],
    "set": lambda h, key, value: handles[h].__setitem__(key, value),
    "delete": lambda h, key: handles[h].pop(key, None) is not None,
    "keys": lambda h: list(handles[h]),
    "clear": lambda h: handles[h].clear(),
}

for line in sys.stdin:
    operation, *arguments = json.loads(line)
    if operation == "discard":
        things.clear()
        for handle in handles:
            handle.close()
        handles[0].unlink()
        answer = None
    else:
        try:
            answer = OPERATIONS[operation](*arguments)
        except (shmkit.ShmError, ValueError, TypeError, KeyError) as error:
            answer = {"error": getattr(error, "code", repr(error))}
    print(json.dumps(answer), flush=True)
