"""Locks, events, transactions, dicts, arrays and queues for named shared memory, between Python and Node."""

from collections.abc import Callable, ItemsView, Iterator, KeysView, MutableMapping, Sequence, ValuesView
from types import TracebackType
from typing import Any, Literal, Optional, Protocol, Type, Union, final, overload

__version__: str

@final
class _Missing:
    def __bool__(self) -> bool: ...

MISSING: _Missing
"""What stands for no value where None is one."""

class _BytesLike(Protocol):
    """What `memoryview` takes: bytes, bytearray, array.array, a numpy array."""

    def __len__(self) -> int: ...

class _Standard(Protocol):
    """A `multiprocessing.shared_memory.SharedMemory`."""

    @property
    def name(self) -> str: ...

class _StandardList(Protocol):
    """A `multiprocessing.shared_memory.ShareableList`."""

    @property
    def shm(self) -> Any: ...

class ShmError(Exception):
    """A failure that the system has no number for. (What it has one for is an OSError, with a `code` too.)"""

    code: str

class DeadlockError(ShmError):
    """The thread waits for what it holds itself."""

def attach(
    descriptor: dict[str, Any], *, foreign: bool = False
) -> Union[SharedMemory, SharedArray, SharedDict, SharedQueue, SharedMutex, SharedEvent]:
    """The shared object that a descriptor names: what `to_json()` gave in another process, or `toJSON()` in Node.

    Of another user only if `foreign`.
    """

def owns(descriptor: dict[str, Any]) -> bool:
    """Whether this process is an owner of what the descriptor names: whether that lives as long as this process."""

@final
class SharedMutex:
    """A mutex that processes share by its name, those of Node too. It survives whoever dies with it."""

    @staticmethod
    def create_or_attach(name: str, *, mode: int = 0o600, track: bool = True) -> SharedMutex:
        """The mutex of this name, made where there is none.

        With `track` this process is an owner: when its last owner is dead, the mutex goes.
        """
    @staticmethod
    def attach(target: Union[str, dict[str, Any]], *, foreign: bool = False) -> SharedMutex:
        """An existing mutex, by its name or its descriptor; of another user only if `foreign`."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    @property
    def name(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def lock(self, timeout: Optional[float] = None) -> Guard:
        """Takes the mutex, and waits for it `timeout` seconds at most (else TimeoutError)."""
    def try_lock(self) -> Optional[Guard]:
        """Takes the mutex if nobody has it, not even this thread; else None."""
    def close(self) -> None:
        """Closes this handle. Who waits by it, or has the mutex, is not disturbed."""
    def unlink(self) -> None:
        """Removes the name. Who has the mutex open keeps it."""
    def __enter__(self) -> SharedMutex: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Guard:
    """A mutex that is had.

    Left by an exception, or forgotten, it says that what it guards is inconsistent.
    """

    @property
    def owner_died(self) -> bool:
        """Whether the last one who had the mutex died, or failed, in the middle."""
    def unlock(self) -> None:
        """Lets go of the mutex, all being well. Nothing the second time."""
    def __enter__(self) -> Guard: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class SharedEvent:
    """An event that processes share by its name, those of Node too."""

    @staticmethod
    def create_or_attach(name: str, *, mode: int = 0o600, track: bool = True) -> SharedEvent:
        """The event of this name, made where there is none."""
    @staticmethod
    def attach(target: Union[str, dict[str, Any]], *, foreign: bool = False) -> SharedEvent:
        """An existing event, by its name or its descriptor; of another user only if `foreign`."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    @property
    def name(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def is_set(self) -> bool: ...
    def set(self) -> None:
        """Sets it; all who wait go on."""
    def clear(self) -> None: ...
    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until it is set, `timeout` seconds at most; whether it was, if only for a moment."""
    def close(self) -> None:
        """Closes this handle. Who waits by it is not disturbed."""
    def unlink(self) -> None:
        """Removes the name. Who has the event open keeps it."""
    def __enter__(self) -> SharedEvent: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class SharedMemory:
    """A segment of named shared memory, whoever made it."""

    @staticmethod
    def create(
        size: int, *, name: Optional[str] = None, mode: int = 0o600, track: bool = True
    ) -> SharedMemory:
        """Makes a segment of `size` zero bytes; without a name one is drawn."""
    @staticmethod
    def attach(
        target: Union[str, dict[str, Any]], *, read_only: Optional[bool] = None, foreign: bool = False
    ) -> SharedMemory:
        """An existing segment, by its name or its descriptor; of another user only if `foreign`."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    def txn(self, *, read_only: bool = False, timeout: Optional[float] = None) -> Txn:
        """To work on the bytes while nobody else does. The lock is taken where `with` begins."""
    def adopt(self) -> None:
        """Makes this process an owner: when its last owner is dead, the segment goes."""
    def close(self) -> None:
        """Closes this handle. Transactions and arrays that were made of it are not disturbed."""
    def unlink(self) -> None:
        """Removes the name, and the lock that goes with it. Who has the segment open keeps it."""
    def __len__(self) -> int: ...
    def __enter__(self) -> SharedMemory: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Txn:
    """A segment's bytes while nobody else works on them, for the inside of a `with`."""

    @property
    def read_only(self) -> bool: ...
    @property
    def owner_died(self) -> bool:
        """Whether the last one who wrote died, or failed, in the middle: the data are to be checked."""
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: int, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, index: int, value: int, /) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: _BytesLike, /) -> None: ...
    def write(self, data: _BytesLike, offset: int = 0) -> None:
        """Copies all of `data` to `offset`."""
    def __len__(self) -> int: ...
    def __enter__(self) -> Txn:
        """Takes the lock, and waits for it as long as the timeout allows (else TimeoutError)."""
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None:
        """Lets go of the lock; after an exception the data are said to be inconsistent."""

@final
class SharedArray:
    """An n-dimensional array of numbers in shared memory, as numpy and Node have it.

    `numpy.asarray(a)` is the same memory, and stays valid after `close()`; `a[...]` is what numpy makes of the index.
    There is no lock: `a.shm.txn()` is one.
    """

    @staticmethod
    def create(
        shape: Union[int, Sequence[int]],
        dtype: Any = "float64",
        order: Literal["C", "F"] = "C",
        header: Literal["npy", "none"] = "npy",
        *,
        name: Optional[str] = None,
        mode: int = 0o600,
        track: bool = True,
    ) -> SharedArray:
        """Makes an array of zeros; without a name one is drawn.

        With the header 'npy' `numpy.load(f'/dev/shm/{name}', mmap_mode='r+')` opens it in place; with 'none' it is
        nothing but elements. `dtype` is one of numpy's int8 to uint64, float16 to float64 and bool.
        """
    @staticmethod
    def attach(
        target: Union[str, dict[str, Any]],
        *,
        read_only: Optional[bool] = None,
        foreign: bool = False,
        shape: Union[int, Sequence[int], None] = None,
        dtype: Any = None,
        order: Optional[Literal["C", "F"]] = None,
        offset: Optional[int] = None,
        header: Optional[Literal["npy", "none"]] = None,
    ) -> SharedArray:
        """An existing array, by its name or by what `to_json()` gave, here or in Node; of another user only if `foreign`.

        The header says what it is, or the descriptor; what is given here must agree with it. What has neither takes
        `shape` and `dtype`, and may have an `offset` in bytes.
        """
    @property
    def shm(self) -> SharedMemory:
        """The segment that it lies in."""
    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str:
        """numpy's name of the elements' type."""
    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one index to the next, by dimension."""
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int:
        """How many elements there are."""
    @property
    def nbytes(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    def adopt(self) -> None:
        """Makes this process an owner: when its last owner is dead, the array goes."""
    def close(self) -> None:
        """Closes this handle. Arrays that numpy made of it are not disturbed."""
    def unlink(self) -> None:
        """Removes the name, and the lock that goes with it. Who has the array open keeps it."""
    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets it attaches to the same array."""
    def __enter__(self) -> SharedArray: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class SharedQueue:
    """A bounded queue of items of one size between processes, those of Node too.

    An item is an array of numpy's, or a number where it has no dimensions; without numpy it is bytes. What is pushed and
    popped is copied; `claim` and `take` give it in place. Whoever is killed loses what was in his hands, and no more.
    """

    @staticmethod
    def create(
        slots: int,
        shape: Union[int, Sequence[int]] = (),
        dtype: Any = "float64",
        *,
        spsc: bool = False,
        name: Optional[str] = None,
        mode: int = 0o600,
        track: bool = True,
    ) -> SharedQueue:
        """Makes an empty queue with room for `slots` items of this shape and type.

        With `spsc` it is for one producer and one consumer, which is faster; otherwise any number of threads may push
        and take. `mode` is the permission bits: every process that takes part needs read and write permission.
        """
    @staticmethod
    def attach(
        target: Union[str, dict[str, Any]],
        *,
        foreign: bool = False,
        shape: Union[int, Sequence[int], None] = None,
        dtype: Any = None,
    ) -> SharedQueue:
        """An existing queue, by its name or by what `to_json()` gave, here or in Node; of another user only if `foreign`.

        Its items must be of the `shape` and the `dtype` that are given.
        """
    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int:
        """Number of slots, each of which holds one item."""
    @property
    def spsc(self) -> bool:
        """Whether the queue is for one producer and one consumer."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions of an item."""
    @property
    def dtype(self) -> str:
        """numpy's name of the elements' type."""
    @property
    def closed(self) -> bool: ...
    @property
    def ended(self) -> bool:
        """Whether `end()` was called, by anybody."""
    @property
    def lost(self) -> int:
        """How many claimed or taken slots were lost with somebody who died."""
    def __len__(self) -> int:
        """How many items there are, those included that are just being written."""
    def push(self, item: Any, timeout: Optional[float] = None) -> None:
        """Pushes a copy of the item, and waits for room `timeout` seconds at most (else TimeoutError)."""
    def try_push(self, item: Any) -> bool:
        """Pushes a copy of the item; False where the queue is full."""
    def push_many(self, items: Any, timeout: Optional[float] = None) -> None:
        """Pushes copies of all items of an array of shape (n, *shape), in `timeout` seconds at most (else TimeoutError).

        Where it fails, the exception's `pushed` says how many were.
        """
    def pop(self, timeout: Optional[float] = None) -> Any:
        """A copy of the next item, which is waited for `timeout` seconds at most (else TimeoutError).

        None once the queue has ended and everything was taken.
        """
    def try_pop(self) -> Any:
        """A copy of the next item; None where there is none now."""
    def pop_many(self, max: int = 256, timeout: Optional[float] = None) -> Any:
        """As many items as there are, and `max` at most, as one array of shape (n, *shape); else as `pop`."""
    def claim(self, timeout: Optional[float] = None) -> Slot:
        """A slot to write the next item to in place: `with queue.claim() as slot`. Room is waited for as in `push`.

        Nobody sees it, nor what was claimed after it, until it is committed.
        """
    def try_claim(self) -> Optional[Slot]:
        """A slot to write the next item to; None where the queue is full."""
    def take(self, timeout: Optional[float] = None) -> Optional[Slot]:
        """The slot of the next item, to be read in place: `with queue.take() as slot`; else as `pop`."""
    def try_take(self) -> Optional[Slot]:
        """The slot of the next item; None where there is none now."""
    def __iter__(self) -> Iterator[Any]:
        """Items as they come, until the queue has ended and everything was taken."""
    def batches(self, max: int = 256) -> Iterator[Any]:
        """As many items at a time as there are, and `max` at most, each time as one array of shape (n, *shape)."""
    def end(self) -> None:
        """Nothing is pushed any more: producers are told, consumers take what there is, and then are."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    def adopt(self) -> None:
        """Makes this process an owner: when its last owner is dead, the queue goes."""
    def close(self) -> None:
        """Closes this handle, and gives back the slots that it has; who waits by it is told that it is closed."""
    def unlink(self) -> None:
        """Removes the name. Who has the queue open goes on with it."""
    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets it attaches to the same queue."""
    def __enter__(self) -> SharedQueue: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Slot:
    """A slot that this process has: to write to once it is claimed, to read from once it is taken.

    Forgotten it is given back, as soon as nobody has its `data` any more.
    """

    @property
    def data(self) -> Any:
        """The item in place: an array of numpy's, or without numpy a memoryview of its bytes.

        Once the slot is given back this is refused. An array that was kept shows the memory of the next item then.
        """
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    def commit(self) -> None:
        """Publishes the item of a claimed slot; TypeError for a taken one. Idempotent."""
    def release(self) -> None:
        """Gives the slot back; the item of a claimed slot that was not committed is abandoned. Idempotent."""
    def __enter__(self) -> Slot: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None:
        """Commits it if it was not given back; after an exception nothing comes of a claimed one."""

@final
class SharedBroadcast:
    """Items of one size from one writer to many readers, each at its own place, between processes, those of Node too.

    An item is as a queue's, and is copied in and out. There is one writer at a time: the first handle that publishes,
    until it is closed or its process is dead. In a forked child a handle is closed: attach by `to_json()`.
    """

    @staticmethod
    def create(
        slots: int,
        shape: Union[int, Sequence[int]] = (),
        dtype: Any = "float64",
        on_slow: Literal["block", "drop"] = "block",
        *,
        name: Optional[str] = None,
        mode: int = 0o600,
        track: bool = True,
    ) -> SharedBroadcast:
        """Makes one with room for `slots` items of this shape and type, of which nothing was published.

        With 'block' the writer waits for the slowest reader; with 'drop' that one loses what was overwritten.
        """
    @staticmethod
    def attach(
        target: Union[str, dict[str, Any]],
        *,
        foreign: bool = False,
        shape: Union[int, Sequence[int], None] = None,
        dtype: Any = None,
    ) -> SharedBroadcast:
        """An existing broadcast, by its name or by what `to_json()` gave, here or in Node; of another user only if `foreign`.

        Its items must be of the `shape` and the `dtype` that are given.
        """
    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int:
        """Number of slots, each of which holds one item."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions of an item."""
    @property
    def dtype(self) -> str:
        """numpy's name of the elements' type."""
    @property
    def on_slow(self) -> Literal["block", "drop"]:
        """What becomes of a reader that is slower than the writer."""
    @property
    def closed(self) -> bool:
        """Whether `close()` was called, or this is a forked child and the handle its parent's."""
    @property
    def ended(self) -> bool:
        """Whether `end()` was called, by anybody."""
    @property
    def published(self) -> int:
        """How many items were published, by all who were the writer."""
    @property
    def subscribers(self) -> int:
        """How many read it, in all processes. One that died counts until the writer has come across it."""
    def publish(self, item: Any, timeout: Optional[float] = None) -> None:
        """Publishes a copy of the item, and waits for the slowest reader `timeout` seconds at most (else TimeoutError).

        ERR_SHM_TOO_MANY where there is another writer, ERR_SHM_ENDED after `end()`.
        """
    def try_publish(self, item: Any) -> bool:
        """Publishes a copy of the item; False where the slowest reader has not read what it would overwrite."""
    def publish_many(self, items: Any, timeout: Optional[float] = None) -> None:
        """Publishes copies of all items of an array of shape (n, *shape), in `timeout` seconds at most (else TimeoutError).

        Where it fails, the exception's `published` says how many were.
        """
    def subscribe(self, *, oldest: bool = False) -> Subscription:
        """Begins to read: every item that is published from now on is for this reader, and with `oldest` those that are there.

        A writer that waits for readers waits for this one, until it is closed or forgotten.
        """
    def end(self) -> None:
        """Nothing is published any more: the writer is told, readers read what there is, and then are."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    def adopt(self) -> None:
        """Makes this process an owner: when its last owner is dead, the broadcast goes."""
    def close(self) -> None:
        """Closes this handle and its subscriptions; who waits by it is told that it is closed."""
    def unlink(self) -> None:
        """Removes the name. Who has the broadcast open goes on with it."""
    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets it attaches to the same broadcast."""
    def __enter__(self) -> SharedBroadcast: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class Subscription:
    """A place of one's own in a broadcast. Forgotten it is closed. Threads may share it: each item is one's."""

    @property
    def closed(self) -> bool:
        """Whether `close()` was called, of this or of its broadcast; in a forked child it is closed."""
    @property
    def lost(self) -> int:
        """With 'drop': how many items were overwritten before this one came to them."""
    def __len__(self) -> int:
        """How many items there are that this one has not read."""
    def next(self, timeout: Optional[float] = None) -> Any:
        """A copy of the next item, which is waited for `timeout` seconds at most (else TimeoutError).

        None once the broadcast has ended and everything was read.
        """
    def try_next(self) -> Any:
        """A copy of the next item; None where there is none now."""
    def next_many(self, max: int = 256, timeout: Optional[float] = None) -> Any:
        """As many items as there are, and `max` at most, as one array of shape (n, *shape); else as `next`."""
    def __iter__(self) -> Iterator[Any]:
        """Items as they come, until the broadcast has ended and everything was read."""
    def batches(self, max: int = 256) -> Iterator[Any]:
        """As many items at a time as there are, and `max` at most, each time as one array of shape (n, *shape)."""
    def close(self) -> None:
        """Reads no more: the writer does not wait for this one any longer."""
    def __enter__(self) -> Subscription: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class SharedDict(MutableMapping[str, Any]):
    """A dict that lives in shared memory, the same that Node has.

    Any number of processes read it without a lock, and one at a time writes. Whoever is killed while he writes leaves
    the old value or the new one. Values are None, bool, int, float, str, bytes, arrays, aware datetimes, and dicts and
    lists of them; each look gives a fresh copy.
    """

    @staticmethod
    def create(
        *,
        name: Optional[str] = None,
        mode: int = 0o600,
        track: bool = True,
        byte_length: int = 65536,
        max_byte_length: Optional[int] = None,
        lock_timeout: Optional[float] = 10.0,
    ) -> SharedDict:
        """Makes an empty dict of `byte_length`, which may grow to `max_byte_length` (a quarter of what there is).

        Who writes waits `lock_timeout` seconds for others who do (else TimeoutError).
        """
    @staticmethod
    def create_or_attach(
        name: str,
        *,
        mode: int = 0o600,
        track: bool = True,
        byte_length: int = 65536,
        max_byte_length: Optional[int] = None,
        lock_timeout: Optional[float] = 10.0,
    ) -> SharedDict:
        """The dict of this name, made where there is none."""
    @staticmethod
    def attach(
        target: Union[str, dict[str, Any]],
        *,
        read_only: Optional[bool] = None,
        foreign: bool = False,
        lock_timeout: Optional[float] = 10.0,
    ) -> SharedDict:
        """An existing dict, by its name or its descriptor; of another user only if `foreign`."""
    def to_json(self) -> dict[str, Any]:
        """What `attach` takes in another process, here or in Node."""
    @property
    def name(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def byte_length(self) -> int:
        """Bytes that it has taken of /dev/shm."""
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]:
        """The keys of now."""
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def get(self, key: str, default: Any = None) -> Any:
        """A fresh copy of the value of a key; or this, where there is none."""
    def keys(self) -> KeysView[str]: ...
    def values(self) -> ValuesView[Any]: ...
    def items(self) -> ItemsView[str, Any]:
        """The keys of the beginning, each with its value of now; those that were deleted are left out."""
    def pop(self, key: str, default: Any = ...) -> Any: ...
    def popitem(self) -> tuple[str, Any]: ...
    def setdefault(self, key: str, default: Any = None) -> Any: ...
    def update(self, *args: Any, **named: Any) -> None:
        """Sets all of these at once: a mapping, or pairs, and what is named."""
    def clear(self) -> None: ...
    def copy(self) -> dict[str, Any]:
        """A dict of all entries, as they are at one moment."""
    def increment(self, key: str, by: float = 1) -> float:
        """Adds to a number, from 0 where there is none, while nobody else writes; returns the sum."""
    def compare_and_set(self, key: str, expected: Any, value: Any) -> bool:
        """Sets the value if it is as `expected`, MISSING for none, while nobody else writes; whether it did."""
    def modify(self, key: str, function: Callable[[Any], Any]) -> Any:
        """Sets what the function makes of the value, MISSING for none, while nobody else writes; returns that."""
    def txn(self, *, read_only: bool = False, timeout: Optional[float] = None) -> DictTxn:
        """To read and write several keys as one. The lock is taken where `with` begins."""
    def adopt(self) -> None:
        """Makes this process an owner: when its last owner is dead, the dict goes."""
    def close(self) -> None:
        """Closes this handle. Transactions that were made of it are not disturbed."""
    def unlink(self) -> None:
        """Removes the name, and the lock that goes with it. Who has the dict open keeps it."""
    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets it attaches to the same dict."""
    def __enter__(self) -> SharedDict: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class DictTxn(MutableMapping[str, Any]):
    """A dict's entries inside of a `with`: others see all of its changes or none."""

    @property
    def read_only(self) -> bool: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]:
        """The keys of now."""
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def get(self, key: str, default: Any = None) -> Any:
        """A fresh copy of the value of a key; or this, where there is none."""
    def keys(self) -> KeysView[str]: ...
    def values(self) -> ValuesView[Any]: ...
    def items(self) -> ItemsView[str, Any]:
        """The keys of the beginning, each with its value of now; those that were deleted are left out."""
    def pop(self, key: str, default: Any = ...) -> Any: ...
    def popitem(self) -> tuple[str, Any]: ...
    def setdefault(self, key: str, default: Any = None) -> Any: ...
    def update(self, *args: Any, **named: Any) -> None:
        """Sets all of these at once: a mapping, or pairs, and what is named."""
    def clear(self) -> None: ...
    def copy(self) -> dict[str, Any]:
        """A dict of all entries, as they are at one moment."""
    def increment(self, key: str, by: float = 1) -> float:
        """Adds to a number, from 0 where there is none, while nobody else writes; returns the sum."""
    def compare_and_set(self, key: str, expected: Any, value: Any) -> bool:
        """Sets the value if it is as `expected`, MISSING for none, while nobody else writes; whether it did."""
    def modify(self, key: str, function: Callable[[Any], Any]) -> Any:
        """Sets what the function makes of the value, MISSING for none, while nobody else writes; returns that."""
    def __enter__(self) -> DictTxn:
        """Takes the lock, and waits for it as long as the timeout allows (else TimeoutError)."""
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
        /,
    ) -> None:
        """Makes its changes, or after an exception none of them, and lets go of the lock."""

def txn(
    shm: Union[str, SharedMemory, SharedArray, _Standard, _StandardList],
    *,
    read_only: bool = False,
    timeout: Optional[float] = None,
) -> Txn:
    """A transaction on a segment: an object of the standard library's, one of this module, or a name.

    The lock is taken where `with` begins; the bytes can be written through `shm.buf` as always.
    """
