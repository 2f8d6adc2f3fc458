"""What runs in a worker process in Python: `python3 worker.py MODULE.py`, with a channel to its pool.

It says and hears what messages.ts has, a line of JSON each, over the socket that Node names in the environment. Values
are as in python.ts. The package shmkit is needed for shared objects, and numpy for typed arrays.
"""

import asyncio
import base64
import datetime
import importlib.util
import inspect
import json
import math
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback

EXACT = 2**53  # whole numbers beyond are a bigint in Node
GRACE = 5  # seconds that a worker has to end, as in worker-process.ts
EPOCH = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)


class WorkerError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def shmkit():
    return needed("shmkit", "shared objects")


def needed(package, what):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        message = f"a worker in Python needs the package {package} for {what}: {error} ({sys.executable})"
        raise WorkerError("ERR_SHM_MODULE", message) from None


class Channel:
    """The socket that Node made. Its JSON has a line for each message."""

    def __init__(self):
        self._socket = socket.socket(fileno=int(os.environ.pop("NODE_CHANNEL_FD")))
        os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
        self._socket.set_inheritable(False)
        self._socket.setblocking(True)
        self._sending = threading.Lock()

    def send(self, **message):
        line = json.dumps(message).encode() + b"\n"
        with self._sending:
            try:
                self._socket.sendall(line)
            except OSError:
                pass  # whoever is gone disconnects

    def __iter__(self):
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)
        except OSError:
            pass


class Worker:
    def __init__(self, path):
        self._path = path
        self._channel = Channel()
        self._module = None
        self._failure = None
        self._held = []  # what the pool has not yet taken over of the last answer
        self._stopped = 0  # the call that nobody wants any more
        self._gone = False
        self._orders = queue.SimpleQueue()

    def run(self):
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._load()
        except BaseException as error:  # whatever a module raises, SystemExit too
            self._failure = error
        while (order := self._orders.get()) is not None:
            if order["shmkit"] == "taken":
                self._let_go()
            else:
                self._call(order)

    def _listen(self):
        for order in self._channel:
            kind = order.get("shmkit")
            if kind == "stop":
                self._stopped = order["id"]
            elif kind == "ping":
                self._channel.send(shmkit="pong")
            elif kind in ("call", "taken"):
                self._orders.put(order)
        self._gone = True
        self._orders.put(None)
        # A call may last, and so may threads of the module's that are no daemons. The pool would kill this process now.
        time.sleep(GRACE)
        os._exit(1)

    def _load(self):
        folder, file = os.path.split(self._path)
        sys.path.insert(0, folder)
        name = os.path.splitext(file)[0]
        spec = importlib.util.spec_from_file_location(name, self._path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        self._module = module

    def _call(self, order):
        opened, at = [], {}
        try:
            function = self._find(order["method"])
            args = unpack(order["encoded"], opened)
            self._channel.send(shmkit="began", id=order["id"])
            if order["each"]:
                result = []
                for index, item in enumerate(args):
                    if self._stopped == order["id"] or self._gone:
                        break
                    at["item"] = index
                    result.append(called(function, item if order["each"] == "spread" else [item]))
                at.clear()
            else:
                result = called(function, args)
            ok, (encoded, objects) = True, pack(result, f"the result of '{order['method']}'", opened)
        except (SystemExit, KeyboardInterrupt):  # which end the worker
            raise
        except BaseException as error:  # asyncio's CancelledError too
            ok, (encoded, objects) = False, pack(error, "what it raised", opened)
        self._held = [object for object in objects if index_of(object, opened) is None]
        flush()
        useless = self._failure is not None
        holds = len(self._held) > 0
        message = {"id": order["id"], "ok": ok, "encoded": encoded, "holds": holds, "useless": useless, **at}
        for object in opened:
            close(object)
        self._channel.send(shmkit="answer", **message)

    def _find(self, name):
        if self._failure is not None:
            why = "".join(traceback.format_exception_only(type(self._failure), self._failure)).strip()
            message = f"{self._path} cannot be loaded: {why} ({sys.executable})"
            raise WorkerError("ERR_SHM_MODULE", message) from self._failure
        found = vars(self._module).get(name)
        if not callable(found):
            raise WorkerError("ERR_SHM_METHOD", f"{self._path} has no function '{name}'")
        return found

    def _let_go(self):
        for object in self._held:
            close(object)
        self._held = []


def flush():
    try:
        sys.stdout.flush()
    except Exception:
        pass  # the module has put something else there, or nobody reads it


def called(function, args):
    result = function(*args)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def unpack(text, opened):
    encoded = json.loads(text)
    for sent in encoded["sent"]:
        opened.append(attach(sent["descriptor"]))
    return revive(encoded["value"], opened)


def attach(descriptor):
    if descriptor["kind"] != "list":
        return shmkit().attach(descriptor, foreign=True)
    from multiprocessing import resource_tracker, shared_memory

    shared = shared_memory.ShareableList(name=descriptor["name"])
    resource_tracker.unregister(shared.shm._name, "shared_memory")  # it is not this process's
    return shared


def close(object):
    try:
        getattr(object, "shm", object).close()
    except BufferError:
        pass  # of a list: the function has kept a view of its memory


def revive(value, objects):
    if isinstance(value, list):
        return [revive(item, objects) for item in value]
    if not isinstance(value, dict):
        return value
    if "$" not in value:
        return {key: revive(item, objects) for key, item in value.items()}
    tag, *content = value["$"]
    first = content[0]
    if tag == "shared":
        return objects[first]
    if tag in ("float", "int"):
        return {"float": float, "int": int}[tag](first)
    if tag == "date":
        return EPOCH + datetime.timedelta(milliseconds=first)
    if tag == "bytes":
        return base64.b64decode(first)
    if tag == "array":
        numpy = needed("numpy", "typed arrays")
        return numpy.frombuffer(bytearray(base64.b64decode(content[1])), first)
    if tag == "dict":
        return {key: revive(item, objects) for key, item in first}
    raise WorkerError("ERR_SHM_VALUE", f"the pool sent {tag!r}, of which this version does not know")


class Unsendable(Exception):
    pass


def pack(value, what, opened):
    """The value's text, and the shared objects in it. `opened` are those that the pool has."""
    try:
        packer = Packer(opened)
        try:
            tree = packer.copy(value)
        except (Unsendable, RecursionError) as error:
            raise WorkerError("ERR_SHM_VALUE", f"{what} cannot be sent to Node: {error}") from None
    except WorkerError as error:
        if not isinstance(value, BaseException):
            raise
        packer = Packer([])
        tree = packer.copy(error)
    sent = [send(object, opened) for object in packer.objects]
    return json.dumps({"sent": sent, "value": tree}), packer.objects


def send(object, opened):
    """An argument as such; another one by its name, and whether it has to be adopted."""
    index = index_of(object, opened)
    if index is not None:
        return index
    descriptor = object.to_json()
    return {"descriptor": descriptor, "owned": shmkit().owns(descriptor)}


def index_of(object, objects):
    """By identity: dicts are equal where what is in them is."""
    return next((index for index, known in enumerate(objects) if known is object), None)


class Packer:
    def __init__(self, opened):
        self.objects = []
        self._opened = opened

    def copy(self, value):
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return int(value) if -EXACT < value < EXACT else {"$": ["int", str(int(value))]}
        if isinstance(value, float):
            plain = math.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0)
            return float(value) if plain else {"$": ["float", in_javascript(value)]}
        if self._is_shared(value):
            return {"$": ["shared", self._index(value)]}
        if isinstance(value, (list, tuple)):
            return [self.copy(item) for item in value]
        if isinstance(value, dict):
            return self._dict(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$": ["bytes", base64.b64encode(value).decode()]}
        if isinstance(value, datetime.datetime):
            return {"$": ["date", milliseconds(value)]}
        if isinstance(value, BaseException):
            return {"$": ["error", raised(value)]}
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return self.copy(value.item())
        if numpy is not None and isinstance(value, numpy.ndarray):
            return copy_array(value)
        raise Unsendable(f"{type(value).__name__} is nothing that Node has")

    def _is_shared(self, value):
        if index_of(value, self._opened) is not None:
            return True
        return type(value).__module__ == "shmkit" and hasattr(value, "to_json")

    def _index(self, object):
        if getattr(object, "closed", False):
            raise WorkerError("ERR_SHM_CLOSED", f"'{object.name}' is closed")
        index = index_of(object, self.objects)
        if index is None:
            index = len(self.objects)
            self.objects.append(object)
        return index

    def _dict(self, value):
        for key in value:
            if not isinstance(key, str):
                raise Unsendable(f"the key {key!r} of a dict is no str")
        entries = [[key, self.copy(item)] for key, item in value.items()]
        return {"$": ["dict", entries]} if "$" in value else dict(entries)


def copy_array(value):
    if value.ndim != 1:
        raise Unsendable(f"an array of shape {value.shape}, not of one dimension: return a SharedArray")
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
        raise Unsendable(f"an array of {value.dtype} is nothing that Node has")
    native = value.astype(value.dtype.newbyteorder("="), copy=False)
    return {"$": ["array", native.dtype.name, base64.b64encode(native.tobytes()).decode()]}


def milliseconds(time):
    """Without floats on the way, which make it one less now and then."""
    aware = time.astimezone() if time.utcoffset() is None else time
    return int((aware - EPOCH) // datetime.timedelta(milliseconds=1))


def in_javascript(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "-0"


def raised(error):
    said = {"name": type(error).__name__, "message": attempt(lambda: str(error), "")}
    if isinstance(error, WorkerError):
        said["name"] = "Error"
    else:
        trace = traceback.format_exception(type(error), error, of_the_module(error.__traceback__))
        said["traceback"] = "".join(trace).rstrip()
    code, errno = (attempt(lambda: getattr(error, name, None)) for name in ("code", "errno"))
    if isinstance(code, str):
        said["code"] = code
    if isinstance(errno, int) and -EXACT < errno < EXACT:
        said["errno"] = errno
    return said


def attempt(look, otherwise=None):
    """An exception's class may do anything when it is asked."""
    try:
        return look()
    except Exception:
        return otherwise


def of_the_module(trace):
    """Without what this file did to get there."""
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a worker in Node
    worker = Worker(sys.argv[1])
    sys.path.pop(0)  # this file's folder
    del sys.argv[0]
    worker.run()
