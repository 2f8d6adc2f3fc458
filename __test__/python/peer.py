"""The other end of the tests: does what one line of JSON after the other asks for. CPython 3.9 and newer."""

import errno
import json
import struct
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList, SharedMemory

TRACK_OPTION = sys.version_info >= (3, 13)
handles = {}


def memory(name, **options):
    """A segment that this process's resource tracker will not destroy when the process ends."""
    if TRACK_OPTION:
        return SharedMemory(name, track=False, **options)
    return untracked(SharedMemory(name, **options))


def untracked(shm):
    resource_tracker.unregister(shm._name, "shared_memory")
    return shm


def opened(thing, size):
    handle = len(handles) + 1
    handles[handle] = thing
    return {"handle": handle, "name": segment(thing).name, "size": size}


def segment(thing):
    return thing.shm if isinstance(thing, ShareableList) else thing


def opened_list(sl):
    untracked(sl.shm)
    return opened(sl, len(sl))


def name_of(target):
    return target if isinstance(target, str) else target["name"]


def from_wire(item):
    kind = item["t"]
    if kind == "int":
        return int(item["v"])
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(item["bits"]))[0]
    if kind == "bool":
        return item["v"]
    if kind == "none":
        return None
    if kind == "str":
        return bytes.fromhex(item["utf8"]).decode()
    return bytes.fromhex(item["hex"])


def to_wire(value):
    if value is None:
        return {"t": "none"}
    if isinstance(value, bool):
        return {"t": "bool", "v": value}
    if isinstance(value, int):
        return {"t": "int", "v": str(value)}
    if isinstance(value, float):
        return {"t": "float", "bits": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        return {"t": "str", "utf8": value.encode().hex()}
    return {"t": "bytes", "hex": value.hex()}


def create(size, name=None):
    shm = memory(name, create=True, size=size)
    return opened(shm, shm.size)


def attach(target):
    shm = memory(name_of(target))
    return opened(shm, shm.size)


def read(handle, offset, length):
    return bytes(handles[handle].buf[offset : offset + length]).hex()


def write(handle, offset, hex):
    data = bytes.fromhex(hex)
    handles[handle].buf[offset : offset + len(data)] = data


def create_list(items, name=None):
    return opened_list(ShareableList([from_wire(item) for item in items], name=name))


def attach_list(target):
    return opened_list(ShareableList(name=name_of(target)))


def get(handle, index):
    return to_wire(handles[handle][index])


def set_item(handle, index, item):
    handles[handle][index] = from_wire(item)


def items(handle):
    return [to_wire(value) for value in handles[handle]]


def list_format(handle):
    return handles[handle].format


def count(handle, item):
    return handles[handle].count(from_wire(item))


def close(handle):
    segment(handles[handle]).close()


def unlink(handle):
    shm = segment(handles[handle])
    # unlink() signs off from the tracker, so the segment must be known to it at that moment.
    tracked = getattr(shm, "_track", True)
    if tracked:
        resource_tracker.register(shm._name, "shared_memory")
    try:
        shm.unlink()
    except OSError:
        if tracked:
            untracked(shm)
        raise


def numpy(handle, dtype, shape, expression):
    import numpy as np

    a = np.ndarray(shape, dtype, buffer=handles[handle].buf)
    result = eval(expression, {"a": a, "np": np})
    return result.tolist() if hasattr(result, "tolist") else result


operations = {
    "create": create,
    "attach": attach,
    "read": read,
    "write": write,
    "createList": create_list,
    "attachList": attach_list,
    "get": get,
    "set": set_item,
    "items": items,
    "format": list_format,
    "count": count,
    "close": close,
    "unlink": unlink,
    "numpy": numpy,
}


def answer(request):
    try:
        result = operations[request["op"]](**request["args"])
        return {"id": request["id"], "result": result}
    except Exception as error:
        code = errno.errorcode.get(getattr(error, "errno", None))
        told = {"type": type(error).__name__, "message": str(error), "code": code}
        return {"id": request["id"], "error": told}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
for thing in handles.values():
    segment(thing).close()
