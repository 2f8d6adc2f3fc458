// Made by `npm run build` from index.ts and src/: the whole public surface on one page.
import { Buffer } from 'node:buffer';

/**
 * A named segment of raw bytes, from byte 0 on: the same bytes that Python's
 * `multiprocessing.shared_memory.SharedMemory` of this name shows.
 *
 * ```js
 * using shm = SharedMemory.create(4096, { name: 'frames' });
 * shm.buf[0] = 42; // another process: SharedMemory.attach('frames').buf[0]
 * ```
 */
declare class SharedMemory implements SharedObject {
    #private;
    /** The segment's name, without a leading slash. */
    readonly name: string;
    /** Size in bytes, as its creator asked for. */
    readonly size: number;
    /** Whether this handle created the segment. */
    readonly created: boolean;
    /** Whether writes stay private to this handle. */
    readonly readOnly: boolean;
    private constructor();
    /**
     * Creates a segment of `size` zero bytes. It appears under its name complete, or not at all.
     * @throws `EEXIST` if the name is taken; `ENOSPC`, `ENOMEM`, `EMFILE` or another system error;
     * `ERR_SHM_NAME`; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2 seconds;
     * `ERR_SHM_PYTHON_TRACKER` (see `joinPythonTracker`); `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE`. Nothing is
     * left behind.
     */
    static create(size: number, options?: CreateOptions): SharedMemory;
    /**
     * As `create`, but reserves the memory on another thread, which is worth it from a few MB on. It never waits
     * for another process; `create` takes as long and blocks the event loop.
     * @throws As `create`, and the signal's reason if it aborts. Nothing is left behind.
     */
    static createAsync(size: number, options?: CreateOptions & {
        /** Cancels the creation, which then rejects with the signal's reason. Default: none. */
        signal?: AbortSignal;
    }): Promise<SharedMemory>;
    /**
     * Opens an existing segment by its name or by the descriptor that another handle's `toJSON()` returned.
     * @throws `ENOENT`; `EACCES`; `ENOSPC` or `ENOMEM` if its unreserved memory cannot be reserved; `EMFILE`;
     * `ELOOP` for a symbolic link; `ERR_SHM_FOREIGN` for a segment of another user; `ERR_SHM_EMPTY` if its
     * creator gave it no size within 0.1 seconds; `ERR_SHM_NOT_A_SEGMENT` for a directory or fifo;
     * `ERR_SHM_UNLINKED` if the descriptor's segment is gone and its name belongs to another; `ERR_SHM_KIND` for
     * a descriptor of another class; `ERR_SHM_NAME`; `ERR_INVALID_ARG_TYPE`; `ERR_INVALID_ARG_VALUE` for a
     * descriptor with a malformed id.
     */
    static attach(target: string | Descriptor, options?: AttachOptions): SharedMemory;
    /**
     * Opens the segment of this name, or creates it. The first caller creates, the others attach, and all of them
     * own it. A segment without owners (made by Python or with `track: false`) is attached to and not owned.
     * `size` is the least number of bytes that it must have.
     * @throws `ERR_SHM_SIZE` if the existing segment is smaller; otherwise as `create` (but not `EEXIST`) and
     * `attach`.
     */
    static createOrAttach(name: string, size: number, options?: CreateOptions): SharedMemory;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /**
     * The bytes in place: what other processes write shows here immediately. A buffer that you kept has length 0
     * after `close()`.
     * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the buffer was transferred before the first use; `ENOMEM`
     * if there is no address space left; `ERR_SHM_BUFFER_TOO_LARGE` if the segment exceeds the runtime's largest
     * buffer (4 GiB in Node 20); `ERR_SHM_NO_EXTERNAL_BUFFERS` (Electron). `read()` and `write()` work even then.
     */
    get buf(): Buffer;
    /**
     * The `ArrayBuffer` below `buf`, for typed arrays.
     * @throws `ERR_SHM_DETACHED` if it was transferred; otherwise as `buf`.
     */
    get buffer(): ArrayBuffer;
    /**
     * The same bytes as a `SharedArrayBuffer`, which `postMessage` passes to worker threads without a copy. It
     * has a mapping of its own: `close()` does not affect it, and its memory is freed when the last thread drops
     * it.
     * @throws `ERR_SHM_UNSUPPORTED` before Node 22.23.3, 24.16 and 26.1: post `toJSON()` there. `ERR_SHM_CLOSED`,
     * `ENOMEM`, `ERR_SHM_BUFFER_TOO_LARGE`, `ERR_SHM_NO_EXTERNAL_BUFFERS`.
     */
    sharedBuffer(): SharedArrayBuffer;
    /**
     * A private copy of `length` bytes from byte `offset` on. Default: from byte 0, and to the end. Works in
     * every runtime.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ENOMEM`; `ERR_SHM_TRUNCATED` on a
     * read-only handle if another process cut the segment short.
     */
    read(offset?: number, length?: number): Buffer;
    /**
     * Copies all of `bytes` to byte `offset`, by default 0. Works in every runtime.
     * @throws `ERR_OUT_OF_RANGE` if they do not fit, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`,
     * `ERR_INVALID_ARG_TYPE`, `ENOMEM`. Nothing is written then.
     */
    write(bytes: Uint8Array, offset?: number): void;
    /**
     * Exclusive access to the bytes, or with `readOnly` access shared with other readers, among all processes and
     * threads. Dispose of the txn to end it. If a holder dies, the next one gets the lock and is told
     * (`ownerDied`).
     *
     * The lock is a file beside the segment, `NAME.lk`. The first txn creates it, and it is removed with the
     * segment.
     *
     * ```js
     * await shm.txn((txn) => txn.bytes[0]++);
     * ```
     * @throws `ERR_SHM_TIMEOUT`; the signal's reason; `ERR_SHM_CLOSED`; `ERR_SHM_READ_ONLY` on a read-only handle
     * without `readOnly`; `ERR_SHM_UNLINKED` if the segment was unlinked before this handle's first txn;
     * `ERR_SHM_FOREIGN` if it belongs to another user, who has made no txn yet; `ERR_SHM_NOT_A_LOCK` if `NAME.lk`
     * is something else; `ERR_SHM_VERSION` if a newer shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` (4095
     * threads have the lock open); `ERR_SHM_BUSY`; `EACCES`, `ENOSPC` or another system error;
     * `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE`.
     */
    txn(options?: TxnOptions): Promise<Txn>;
    /**
     * Runs `body` in a txn, which ends with the body, and resolves to its result. If the body throws, the next
     * holder's `ownerDied` is true.
     * @throws What the body throws; `ERR_SHM_LOCK_LOST` if another process took this one for dead or overwrote
     * the lock; otherwise as above.
     */
    txn<T>(body: (txn: Txn) => T | Promise<T>, options?: TxnOptions): Promise<T>;
    /**
     * As `txn`, but blocks the thread.
     * @throws `ERR_SHM_DEADLOCK` if this thread is already in a txn of the segment; otherwise as `txn`.
     */
    txnSync(options?: TxnSyncOptions): Txn;
    /**
     * Runs `body` in a txn, as `txn` does, but blocks the thread. The body must be synchronous.
     * @throws `ERR_INVALID_RETURN_VALUE` if the body returns a promise; `ERR_SHM_DEADLOCK` if this thread is
     * already in a txn of the segment; otherwise as `txn`.
     */
    txnSync<T>(body: (txn: Txn) => Plain<T>, options?: TxnSyncOptions): T;
    /**
     * Makes this process an owner, as the creator is. The segment is unlinked when its last owner dies. Attaching
     * alone does not make an owner. Idempotent.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_UNLINKED` if the segment has no name any more, `EPERM` if it belongs to
     * another user; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2 seconds;
     * `ERR_SHM_UNSAFE_LEDGERS` if other users can write to the ledgers; `ERR_SHM_PYTHON_TRACKER`.
     */
    adopt(): void;
    /**
     * Closes this handle: detaches `buf` and every view of it, and releases the memory. A txn that is still open
     * through this handle ends as if it had thrown. Idempotent.
     */
    close(): void;
    /**
     * Removes the name. Attached handles keep the memory until they are closed. Works after `close()`.
     * @throws `ENOENT` if the segment was already unlinked, even if its name belongs to a new segment; `EPERM` or
     * `EACCES` if it belongs to another user; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2
     * seconds.
     */
    unlink(): void;
    /**
     * Returns the descriptor that `attach()` takes in another process or thread. `JSON.stringify` and
     * `process.send` call it.
     */
    toJSON(): Descriptor;
    /** Calls `close()`. */
    [Symbol.dispose](): void;
}

/** Options for creating a segment. */
interface CreateOptions {
    /** Name of the segment: 1 to 255 bytes, without `/` and NUL. Default: a random name. */
    name?: string;
    /** POSIX permission bits, 0 to `0o777`, set exactly: the umask has no effect. Default `0o600`. */
    mode?: number;
    /** Reserve the memory now: a full `/dev/shm` is `ENOSPC` here and never a SIGBUS later. Default true. */
    reserve?: boolean;
    /** Map every page in now, so that the first access to a page causes no page fault. Default false. */
    populate?: boolean;
    /**
     * Unlink the segment when its last owner dies, however it dies. The creator is an owner, and so is each
     * process that calls `adopt()`. Default true.
     */
    track?: boolean;
}

/** Options for attaching to a segment. */
interface AttachOptions {
    /**
     * Keep writes private to this handle. A page that was written to no longer shows what other processes write.
     * Default false, or true for the descriptor of a read-only handle.
     */
    readOnly?: boolean;
    /** Allow a segment of another user. Default false. */
    foreign?: boolean;
    /**
     * Reserve memory that the creator did not (CPython reserves nothing). Has no effect with `readOnly`. Default
     * true.
     */
    reserve?: boolean;
}

/**
 * Segments that are reused: the first access to fresh memory costs many times what the work on it does.
 *
 * ```js
 * using pool = new SegmentPool();
 * const frame = pool.acquire(6_000_000); // at least this long, with whatever was in it before
 * send(frame.toJSON());
 * // … and when it is no longer in use
 * pool.release(frame);
 * ```
 */
declare class SegmentPool implements Disposable {
    #private;
    constructor(options?: SegmentPoolOptions);
    /** Bytes of all idle segments: those that were released and not acquired again. */
    get idleBytes(): number;
    /**
     * Returns a segment of at least `size` bytes, which this process owns: a released one with its old contents,
     * or a fresh one.
     * @throws `ERR_SHM_CLOSED` if the pool is closed; otherwise as `SharedMemory.create`.
     */
    acquire(size: number): SharedMemory;
    /**
     * Takes a segment back. A process that still has it open shares it with the next one that acquires it.
     * @throws `ERR_SHM_NOT_LENT` if it was not acquired here or was released already.
     */
    release(segment: SharedMemory): void;
    /** Unlinks the idle segments. Acquired ones are unlinked when they are released. Idempotent. */
    close(): void;
    /** Calls `close()`. */
    [Symbol.dispose](): void;
}

/** Options for a segment pool. */
interface SegmentPoolOptions {
    /**
     * Bytes of idle segments to keep. If there are more, the one that was idle longest is unlinked. Default 256
     * MB (2 ** 28).
     */
    maxBytes?: number;
}

/**
 * Names a shared object for another process or thread: plain data that `process.send`, `postMessage` and
 * `JSON.stringify` can pass on. `toJSON()` makes it and `attach()` takes it.
 */
interface Descriptor {
    /** Of the fields: `attach()` refuses another one. A descriptor that you write by hand may leave it out. */
    readonly version?: number;
    /**
     * What it is: `'memory'`, `'list'`, `'array'`, `'dict'`, `'queue'`, `'broadcast'`, `'mutex'` or `'event'`.
     */
    readonly kind: string;
    /** The segment's name, without a leading slash. */
    readonly name: string;
    /** Details for `attach()`, such as the segment's identity (`id`). */
    readonly [detail: string]: unknown;
}

/** What all shared objects have in common. Disposing of one closes it. */
interface SharedObject extends Disposable {
    /** The segment's name, without a leading slash. */
    readonly name: string;
    /** Whether `close()` was called. */
    readonly closed: boolean;
    /**
     * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
     * @throws As `SharedMemory.adopt`.
     */
    adopt(): void;
    /** Closes this handle and releases its memory. Idempotent. */
    close(): void;
    /**
     * Removes the name. Attached handles keep the memory.
     * @throws As `SharedMemory.unlink`.
     */
    unlink(): void;
    /** Returns the descriptor that `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
}

/**
 * Opens the shared object that a descriptor names, which `toJSON()` returned in another process or thread.
 * An option that its class does not have is refused: a queue, for example, has no `readOnly`.
 * @throws `ERR_SHM_KIND` for a kind that this version does not know; `ERR_INVALID_ARG_TYPE` for an option that the kind
 * does not have, and for something that is not a descriptor; `ERR_SHM_VERSION` for a descriptor of another version; `ERR_SHM_NAME`; otherwise as the `attach` of its class.
 */
declare function attach(descriptor: Descriptor, options?: AttachOptions): Shared;

/** Any shared object. */
type Shared = SharedMemory | ShareableList | SharedArray | SharedDict | SharedQueue | SharedBroadcast | SharedMutex | SharedEvent;

/**
 * The properties of every error of this package. The error itself is an `Error`, a `RangeError` or a
 * `TypeError`. Options that do not exist are refused with `ERR_INVALID_ARG_TYPE`.
 */
interface ShmError extends Error {
    /** `ENOENT`, `EEXIST`, `ENOSPC` and the like, as in `node:fs`, or one of this package's `ERR_SHM_*`. */
    code: string;
    /** The system's error number if a system call failed; negative, as in `node:fs`. */
    errno?: number;
    /** The system call that failed. */
    syscall?: string;
    /** The name of the segment that the error is about. */
    segment?: string;
}

/** A handle of what lies in a `SharedMemory`. */
declare abstract class MemoryHandle implements SharedObject {
    #private;
    /** The segment that it lies in. */
    readonly shm: SharedMemory;
    /** The segment's name, without a leading slash. */
    get name(): string;
    /** Whether `close()` was called, here or on `shm`. */
    get closed(): boolean;
    /**
     * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
     * @throws As `SharedMemory.adopt`.
     */
    adopt(): void;
    /** Closes this handle and releases its memory. Idempotent. */
    close(): void;
    /**
     * Removes the name. Attached handles keep the memory.
     * @throws As `SharedMemory.unlink`.
     */
    unlink(): void;
    /** Calls `close()`. */
    [Symbol.dispose](): void;
    /** Returns the descriptor that `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
}

/**
 * A list of fixed length in shared memory, with the same bytes as CPython's
 * `multiprocessing.shared_memory.ShareableList`. Each item can be read and replaced in place, as long as text
 * and bytes fit into the slot that they were created with.
 *
 * ```js
 * using list = ShareableList.create(['howdy', 273.15, 42, null, true], { name: 'board' });
 * list.set(2, 43); // Python: ShareableList(name='board')[2]
 * ```
 *
 * Integers read as `number` if that is exact, otherwise as `bigint`. There is no lock: a process that reads an
 * item while another changes its type may see the old one.
 */
declare class ShareableList extends MemoryHandle implements Iterable<ListItem> {
    #private;
    /** Number of items. */
    readonly length: number;
    private constructor();
    /**
     * Creates a list of these items. Text and bytes can later be replaced by what fits into their slot, which has
     * `8 * (UTF-8 bytes // 8 + 1)` bytes.
     * @throws `ERR_SHM_VALUE` for a value that would not be read back the same (integers beyond 64 bits, lone
     * surrogates, trailing NULs); `ERR_INVALID_ARG_TYPE` for another type; `ERR_OUT_OF_RANGE` for more than 32
     * GiB; otherwise as `SharedMemory.create` and `SharedMemory.buffer`.
     */
    static create(values: Iterable<ListItem | Float>, options?: ListCreateOptions): ShareableList;
    /**
     * Opens a list that this or another process created, in Node or Python.
     * @throws `ERR_SHM_CORRUPT` if the segment does not hold a list, with what is wrong; otherwise as
     * `SharedMemory.attach` and `SharedMemory.buffer`.
     */
    static attach(target: string | Descriptor, options?: ListAttachOptions): ShareableList;
    /**
     * The `struct` formats of all items, joined, as Python's `ShareableList.format`.
     * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the segment's buffer was transferred; `ERR_SHM_CORRUPT` if
     * another process damaged an item's format.
     */
    get format(): string;
    /**
     * Returns the item at `index`; a negative index counts from the end. Bytes are a copy.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`;
     * `ERR_SHM_ENCODING` for text that CPython cut inside a character (gh-88336); `ERR_SHM_CORRUPT` if another
     * process damaged the item's format.
     */
    get(index: number): ListItem;
    /**
     * Replaces the item at `index`; a negative index counts from the end. A number that is set into a float slot
     * stays a float.
     * @throws `ERR_OUT_OF_RANGE` for an index outside; `ERR_SHM_VALUE` for a value that does not fit into the
     * slot or would not be read back the same; `ERR_INVALID_ARG_TYPE`; `ERR_SHM_READ_ONLY`; `ERR_SHM_CLOSED`;
     * `ERR_SHM_DETACHED`. The list is unchanged then.
     */
    set(index: number, value: ListItem | Float): void;
    /**
     * Returns the first index of an item that equals `value`, or -1. Numbers are compared by their mathematical
     * value, and booleans equal only booleans.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`; `ERR_INVALID_ARG_TYPE` for a type that a list cannot hold.
     */
    indexOf(value: ListItem): number;
    /**
     * Whether an item equals `value`; unlike `indexOf` it finds NaN.
     * @throws As `indexOf`.
     */
    includes(value: ListItem): boolean;
    /**
     * Returns the number of items that equal `value`.
     * @throws As `indexOf`.
     */
    count(value: ListItem): number;
    /**
     * Returns a copy of all items.
     * @throws As `get`.
     */
    toArray(): ListItem[];
    /**
     * Iterates over the items, each as it is when it is reached.
     * @throws As `get`.
     */
    [Symbol.iterator](): IterableIterator<ListItem>;
}

/** What to do with text and bytes that end in NUL, which Python's list cannot tell from padding. */
type TrailingNul = 'refuse' | 'strip';

/** Options for creating a list. */
interface ListCreateOptions extends CreateOptions {
    /**
     * What to do with NULs at the end of text and bytes, which Python's list drops (gh-106939): `'refuse'` throws
     * `ERR_SHM_VALUE`, `'strip'` stores the value without them. Default `'refuse'`.
     */
    trailingNul?: TrailingNul;
}

/** Options for attaching to a list. */
interface ListAttachOptions extends AttachOptions {
    /** What `set` does with NULs at the end of text and bytes, as in `create`. Default `'refuse'`. */
    trailingNul?: TrailingNul;
}

/** What a list can hold: Python's `int` (64 bits), `float`, `bool`, `str`, `bytes` and `None`. */
type ListItem = number | bigint | boolean | string | Uint8Array | null;

/**
 * Marks a number to be stored as Python's `float`: `2` becomes `2.0`, and the slot stays a float.
 * @throws `ERR_INVALID_ARG_TYPE` if it is not a number.
 */
declare function float(value: number): Float;

/** A number that is stored as Python's `float`, whatever its value. `float()` makes it. */
interface Float {
    /** The number. */
    readonly value: number;
}

/**
 * An n-dimensional array of numbers in shared memory, as numpy has it. Any process reads and writes its
 * elements in place.
 *
 * ```js
 * using grid = SharedArray.create([480, 640], { name: 'grid', dtype: 'float32' });
 * grid.set(1.5, 0, -1); // Python: np.load('/dev/shm/grid', mmap_mode='r+')[0, -1]
 * grid.slice([0, 10]).sum();
 * ```
 *
 * `slice`, `reshape` and `T` are views of the same memory. An array has no lock of its own: use
 * `array.shm.txn()`.
 */
declare class SharedArray<D extends DType = DType> extends MemoryHandle {
    #private;
    /** Type of the elements, by numpy's name. */
    readonly dtype: D;
    /** Length of each dimension, in elements. */
    readonly shape: readonly number[];
    /** Number of dimensions. */
    readonly ndim: number;
    /** Number of elements. */
    readonly size: number;
    /** For each dimension, the number of elements of `data` from one index to the next. */
    readonly strides: readonly number[];
    /** Position in `data` of the element at index 0 of every dimension, in elements. */
    readonly offset: number;
    /**
     * Order in which the elements are contiguous in memory, or null if they are not. `'C'` if they are in both
     * orders.
     */
    readonly order: Order | null;
    private constructor();
    /**
     * Creates an array of zeros. It appears under its name complete, with its header, or not at all.
     * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid shape, type or other option; otherwise
     * as `SharedMemory.create` and `SharedMemory.buffer`.
     */
    static create<D extends DType = 'float64'>(shape: number | readonly number[], options?: ArrayCreateOptions<D>): SharedArray<D>;
    /**
     * Opens the array of this name, or creates one of zeros. The first caller creates, the others attach, and all
     * of them own it. A segment without owners (made by Python or with `track: false`) is attached to and not
     * owned.
     * @throws `ERR_SHM_MISMATCH` if the existing array has another shape, type or order; `ERR_SHM_NOT_AN_ARRAY`
     * if the segment is not an array; otherwise as `create` (but not `EEXIST`) and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, shape: number | readonly number[], options?: ArrayCreateOptions<D>): SharedArray<D>;
    /**
     * Creates an array of the elements of a typed array, which are in C order. The elements keep their type.
     * @throws `ERR_OUT_OF_RANGE` if the number of elements does not fit the shape, or if an element is out of the
     * type's range; `ERR_SHM_VALUE` for a fraction in an integer type; otherwise as `create`.
     */
    static from<T extends Typed>(values: T, options?: Omit<ArrayFromOptions, 'dtype'> & {
        /** Not given: the elements keep their type. */
        dtype?: undefined;
    }): SharedArray<DTypeOf<T>>;
    /**
     * Creates an array of these elements, which are in C order: those of a typed array or of any iterable.
     * Without `dtype`, a typed array other than `Float16Array` keeps its type, and other numbers become
     * `float64`.
     * @throws As above; `ERR_INVALID_ARG_TYPE` for an element of another JavaScript type.
     */
    static from<D extends DType = 'float64'>(values: DTypes[D] | Iterable<ElementOf<D>>, options?: ArrayFromOptions<D>): SharedArray<D>;
    /**
     * Opens an array that this or another process created: by its `.npy` header, by a descriptor, or by `shape`
     * and `dtype`. A view's descriptor opens the same view.
     * @throws `ERR_SHM_NOT_AN_ARRAY` if there is no header and `shape` or `dtype` is missing; `ERR_SHM_CORRUPT`
     * for a damaged header; `ERR_SHM_DTYPE` for an unsupported type or the other byte order; `ERR_SHM_SIZE` if
     * the segment is too short for its shape; `ERR_SHM_ALIGNMENT` if the header's length is not a multiple of an
     * element's; `ERR_SHM_MISMATCH` if the array is not what the options say; `ERR_OUT_OF_RANGE`; otherwise as
     * `SharedMemory.attach` and `SharedMemory.buffer`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: ArrayAttachOptions<D>): SharedArray<D>;
    /**
     * Creates an array from a `.npy` file (numpy's format), which is read on another thread. Fails if the file's
     * type is not `dtype`. The memory is always reserved.
     * @throws As `node:fs` if the file cannot be opened; `ERR_SHM_NOT_AN_ARRAY` if it is not a `.npy` file;
     * `ERR_SHM_CORRUPT` for a damaged header; `ERR_SHM_SIZE` if it is too short for its shape; `ERR_SHM_DTYPE`
     * for an unsupported type or the other byte order; `ERR_SHM_MISMATCH` for another type than `dtype`;
     * `ERR_SHM_FILE` if reading its elements fails; otherwise as `create`.
     */
    static load<D extends DType = DType>(path: string | URL, options?: ArrayOptions<D>): Promise<SharedArray<D>>;
    /** Whether `close()` was called, here or on the array that this is a view of. */
    get closed(): boolean;
    /**
     * All elements of the segment in place: element `(i, j)` is `data[offset + i * strides[0] + j * strides[1]]`.
     * A view, such as a part in `mapArray`, has the same `data` as the array that it is a view of; `elements` has
     * its own elements only.
     * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the segment's buffer was transferred.
     */
    get data(): DTypes[D];
    /**
     * The elements of this array or view in place: `size` of them, in its `order`.
     * @throws `ERR_OUT_OF_RANGE` if they are not contiguous (`order` is null); `ERR_SHM_CLOSED`,
     * `ERR_SHM_DETACHED`.
     */
    get elements(): DTypes[D];
    /**
     * Returns the element at these indexes, one for each dimension; a negative index counts from the end.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    get(...index: number[]): ElementOf<D>;
    /**
     * Replaces the element at these indexes, one for each dimension. Floats are rounded to the type's precision.
     * @throws `ERR_OUT_OF_RANGE` for an index outside, or a number out of the type's range; `ERR_SHM_VALUE` for a
     * fraction in an integer type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`,
     * `ERR_SHM_DETACHED`. Nothing is changed then.
     */
    set(value: ElementOf<D>, ...index: number[]): void;
    /**
     * A view of a part, with a range for each of the first dimensions, as Python slices. A number picks one index
     * and drops the dimension. `[start, end, step]` is `start:end:step`, of which each may be left out
     * (`undefined`, `null`). null is all of it. Closing a view leaves the array open; closing the array closes
     * its views.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    slice(...ranges: SliceRange[]): SharedArray<D>;
    /**
     * A view of the same elements, in C order, with another shape. One length may be -1, which is calculated from
     * the others.
     * @throws `ERR_OUT_OF_RANGE` if the number of elements differs, or if the elements are not contiguous in C
     * order; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    reshape(shape: number | readonly number[]): SharedArray<D>;
    /**
     * A view with the dimensions in reverse order, as numpy's `T`.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    get T(): SharedArray<D>;
    /**
     * Sets all elements to `value`.
     * @throws `ERR_OUT_OF_RANGE` for a number out of the type's range; `ERR_SHM_VALUE` for a fraction in an
     * integer type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    fill(value: ElementOf<D>): this;
    /**
     * Copies the elements of another array of the same type and shape, or of a typed array with the elements in C
     * order. The two may overlap.
     * @throws `ERR_OUT_OF_RANGE` for another shape or number of elements; `ERR_INVALID_ARG_VALUE` for an array of
     * another type; `ERR_INVALID_ARG_TYPE` for a typed array of another type or anything else;
     * `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    copyFrom(source: SharedArray<D> | DTypes[D]): this;
    /**
     * The sum of all elements, or 0 if there are none. Exact for 64-bit integers, even beyond 64 bits; exact up
     * to 2^53 for other integers; in double precision for floats.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    sum(): ElementOf<D>;
    /**
     * The sum divided by the number of elements, or NaN if there are none.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    mean(): number;
    /**
     * The least element, or NaN if there is a NaN.
     * @throws `ERR_OUT_OF_RANGE` if there are no elements; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    min(): ElementOf<D>;
    /**
     * The greatest element, or NaN if there is a NaN.
     * @throws As `min`.
     */
    max(): ElementOf<D>;
    /**
     * The index in C order of the first least element, or of the first NaN, as numpy's `argmin` of the flat
     * array.
     * @throws As `min`.
     */
    argmin(): number;
    /**
     * The index in C order of the first greatest element, or of the first NaN, as numpy's `argmax` of the flat
     * array.
     * @throws As `min`.
     */
    argmax(): number;
    /**
     * The dot product with another array of one dimension, as exact as `sum`.
     * @throws `ERR_OUT_OF_RANGE` for other shapes, and for 64-bit integers if the result takes more than 128
     * bits; `ERR_INVALID_ARG_VALUE` for an array of another type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`,
     * `ERR_SHM_DETACHED`.
     */
    dot(other: SharedArray<D>): ElementOf<D>;
    /**
     * Multiplies all elements by `factor`, in place. Integers wrap around.
     * @throws As `fill`.
     */
    scale(factor: ElementOf<D>): this;
    /**
     * Adds a number to all elements, or adds another array of the same type and shape, in place. Integers wrap
     * around.
     * @throws As `fill` for a number; as `copyFrom` for an array.
     */
    add(other: ElementOf<D> | SharedArray<D>): this;
    /**
     * Returns a private copy of the elements, in C order.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    toTypedArray(): DTypes[D];
    /**
     * Returns a private copy of the elements in nested arrays, one level for each dimension; `[]` if there are
     * none.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    toArray(): Nested<D>;
    /**
     * Writes a `.npy` file, as `np.save` does: in F order if the elements are contiguous in that order only,
     * otherwise in C order. What other processes write meanwhile may or may not be in it. The file appears under its name when
     * it is complete; if the array is closed meanwhile, the promise rejects and the name is as before.
     * @throws As `node:fs`; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    save(path: string | URL): Promise<void>;
    /** Closes this handle and releases its memory; on a view, closes only the view. Idempotent. */
    close(): void;
    /**
     * Returns the descriptor that `attach()` takes in another process or thread. A view's descriptor names the
     * view.
     */
    toJSON(): Descriptor;
}

/** Options for creating an array. */
interface ArrayOptions<D extends DType = DType> extends CreateOptions {
    /**
     * Type of the elements, by numpy's name. Default `'float64'`; `from` and `load` by default keep the type of
     * the elements or the file.
     */
    dtype?: D;
    /**
     * `'npy'`: the segment begins with numpy's `.npy` header, which has type, shape and order, so that `np.load`
     * opens it in place. `'none'`: it holds elements only, as `np.ndarray(shape, dtype, buffer)` takes them. With
     * a header or given elements, the memory is always reserved. Default `'npy'`.
     */
    header?: 'npy' | 'none';
}

/** Options for creating an array of zeros. */
interface ArrayCreateOptions<D extends DType = DType> extends ArrayOptions<D> {
    /** Order of the elements in memory. Default `'C'`. */
    order?: Order;
}

/** Options for creating an array of given elements. */
interface ArrayFromOptions<D extends DType = DType> extends ArrayOptions<D> {
    /** Length of each dimension, in elements. Default: one dimension. The given elements are in C order. */
    shape?: number | readonly number[];
}

/** Options for attaching to an array. What the header or the descriptor says already must agree with them. */
interface ArrayAttachOptions<D extends DType = DType> extends AttachOptions {
    /**
     * Length of each dimension, in elements. Default: what the header says; required for a segment without one.
     */
    shape?: number | readonly number[];
    /**
     * Type of the elements, by numpy's name. Default: what the header says; required for a segment without one.
     */
    dtype?: D;
    /** Order of the elements in memory. Default: what the header says, or `'C'` for a segment without one. */
    order?: Order;
    /** Bytes before the first element, as in `np.ndarray`, for segments without a header. Default 0. */
    offset?: number;
    /** Whether the segment begins with a `.npy` header. Default: `'npy'` if it does, otherwise `'none'`. */
    header?: 'npy' | 'none';
}

/** The element types, by numpy's names. JavaScript may also pass numpy's strings, such as `'<f8'`. */
type DType = keyof DTypes;

/** The typed array of each element type. */
interface DTypes {
    /** Signed 8-bit integers. */
    int8: Int8Array;
    /** Unsigned 8-bit integers. */
    uint8: Uint8Array;
    /** Signed 16-bit integers. */
    int16: Int16Array;
    /** Unsigned 16-bit integers. */
    uint16: Uint16Array;
    /** Signed 32-bit integers. */
    int32: Int32Array;
    /** Unsigned 32-bit integers. */
    uint32: Uint32Array;
    /** Signed 64-bit integers, as `bigint`. */
    int64: BigInt64Array;
    /** Unsigned 64-bit integers, as `bigint`. */
    uint64: BigUint64Array;
    /** 32-bit floats (IEEE 754). */
    float32: Float32Array;
    /** 64-bit floats (IEEE 754). */
    float64: Float64Array;
    /** 16-bit floats (IEEE 754). A `Float16Array` if the runtime has one; otherwise the numbers' bits. */
    float16: Uint16Array;
    /** Booleans, one byte each: 0 is false, everything else is true. */
    bool: Uint8Array;
}

/** What an element reads as: `bigint` for 64-bit integers, otherwise `number` (0 or 1 for `bool`). */
type ElementOf<D extends DType> = D extends 'int64' | 'uint64' ? bigint : number;

/** A typed array whose class determines the element type. */
type Typed = DTypes[Exclude<DType, 'float16' | 'bool'>];

/** The element type of a typed array. */
type DTypeOf<T extends Typed> = T extends Int8Array ? 'int8' : T extends Int16Array ? 'int16' : T extends Uint16Array ? 'uint16' : T extends Int32Array ? 'int32' : T extends Uint32Array ? 'uint32' : T extends BigInt64Array ? 'int64' : T extends BigUint64Array ? 'uint64' : T extends Float32Array ? 'float32' : T extends Float64Array ? 'float64' : 'uint8';

/** Elements in nested arrays, one level for each dimension. */
type Nested<D extends DType> = ElementOf<D> | Nested<D>[];

/**
 * Order of elements in memory, as in numpy: in `'C'` the last index changes fastest, in `'F'` the first one.
 */
type Order = 'C' | 'F';

/**
 * What to take of a dimension: an index, which drops the dimension; `[start, end, step]`, as a Python slice; or
 * null for all of it.
 */
type SliceRange = number | readonly [
    start?: number | null | undefined,
    end?: number | null | undefined,
    step?: number | null | undefined
] | null;

/**
 * Reads the `.npy` header at the beginning of a segment, whatever its element type. `SharedArray.attach` does
 * not need this call.
 * @throws `ERR_SHM_NOT_AN_ARRAY` if the segment does not begin with such a header; `ERR_SHM_CORRUPT` if the
 * header is damaged; `ERR_SHM_CLOSED`; `ERR_SHM_TRUNCATED` (see `SharedMemory.read`); `ERR_INVALID_ARG_TYPE`.
 */
declare function npyHeader(memory: SharedMemory): NpyHeader;

/** What a `.npy` header says (numpy's `numpy.lib.format`). */
interface NpyHeader {
    /** Type of the elements. It may be one that a `SharedArray` does not support. */
    descr: NpyType;
    /** Length of each dimension, in elements. */
    shape: number[];
    /** Order of the elements: in `'C'` the last index changes fastest, in `'F'` the first one. */
    order: 'C' | 'F';
    /** Bytes before the first element. */
    byteOffset: number;
}

/**
 * An element type in a `.npy` header, as numpy's `dtype.descr`: text such as `'<f8'`, or for records a list of
 * fields.
 */
type NpyType = string | number | boolean | null | NpyType[] | {
    /** An entry of a Python dict. */
    [key: string]: NpyType;
};

/** A handle that knows its segment by its name and identity. */
declare abstract class SegmentHandle implements SharedObject {
    #private;
    /** The segment's name, without a leading slash. */
    readonly name: string;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /** Closes this handle and releases its memory. Idempotent. */
    abstract close(): void;
    /** Calls `close()`. */
    [Symbol.dispose](): void;
    /**
     * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
     * @throws As `SharedMemory.adopt`.
     */
    adopt(): void;
    /**
     * Removes the name. Attached handles keep the memory and go on working.
     * @throws As `SharedMemory.unlink`.
     */
    unlink(): void;
    /** Returns the descriptor that `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
}

/**
 * A `Map` in shared memory. Any number of processes and threads read it without a lock, and one at a time
 * writes. If a writer is killed, readers see either the old or the new value. Unlike a `Map`, a dict does not
 * keep insertion order.
 *
 * ```js
 * using dict = SharedDict.createOrAttach('board');
 * dict.set('progress', { done: 3, of: 10 });
 * dict.increment('visits');
 * dict.txnSync((txn) => txn.set('a', txn.get('b') ?? 0)); // all of it or nothing
 * ```
 */
declare class SharedDict<V = unknown> extends SegmentHandle implements Iterable<[string, V]> {
    #private;
    private constructor();
    /**
     * Creates an empty dict.
     * @throws `ERR_SHM_TOO_MANY` if this thread has too many dicts open; otherwise as `SharedMemory.create` and
     * `SharedMemory.buffer`. Nothing is left behind.
     */
    static create<V>(options?: DictOptions): SharedDict<V>;
    /**
     * Opens the dict of this name, or creates it. The first caller creates, the others attach, and all of them
     * own it.
     * @throws `ERR_SHM_NOT_A_DICT` if the name belongs to something else; otherwise as `create` (but not
     * `EEXIST`) and `attach`.
     */
    static createOrAttach<V>(name: string, options?: DictOptions): SharedDict<V>;
    /**
     * Opens an existing dict, by its name or its descriptor.
     * @throws `ERR_SHM_NOT_A_DICT` if the segment is something else; `ERR_SHM_VERSION` if an incompatible version
     * of shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` if this thread has too many dicts open;
     * `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` (but not `ENOSPC`) and `SharedMemory.buffer`.
     */
    static attach<V>(target: string | Descriptor, options?: DictAttachOptions): SharedDict<V>;
    /**
     * Number of entries.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    get size(): number;
    /**
     * Bytes that the dict takes in `/dev/shm`.
     * @throws `ERR_SHM_CLOSED`.
     */
    get byteLength(): number;
    /**
     * Bytes that the dict may grow to, as `maxByteLength` set when it was created.
     * @throws `ERR_SHM_CLOSED`.
     */
    get maxByteLength(): number;
    /**
     * How full the dict is, and how often it was written to.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    get fill(): DictFill;
    /**
     * Returns a fresh copy of the current value, or undefined if the key is missing.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`; `ERR_SHM_KEY` for a key with lone surrogates;
     * `ERR_INVALID_ARG_TYPE`; `ERR_SHM_VALUE` if a newer shmkit stored a value of an unknown kind. If others
     * write without pause, as `set`, or `ERR_SHM_BUSY` on a read-only handle.
     */
    get(key: string): V | undefined;
    /**
     * Whether the key exists.
     * @throws As `get`.
     */
    has(key: string): boolean;
    /**
     * Iterates over the keys as they are at the start; a key that is added or deleted meanwhile may be among
     * them. In a read-only txn, all keys are of one moment.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    keys(): IterableIterator<string>;
    /**
     * Iterates over the values: those of the keys at the start, each as it is when it is reached. Deleted keys
     * are left out.
     * @throws As `get`.
     */
    values(): IterableIterator<V>;
    /**
     * Iterates over the entries: the keys at the start, each with its value when it is reached. Deleted keys are
     * left out.
     * @throws As `get`.
     */
    entries(): IterableIterator<[string, V]>;
    /**
     * As `entries`.
     * @throws As `get`.
     */
    [Symbol.iterator](): IterableIterator<[string, V]>;
    /**
     * Calls `visit` with each value and key, in the order of `entries`.
     * @throws What `visit` throws; otherwise as `get`.
     */
    forEach(visit: (value: V, key: string) => void): void;
    /**
     * Returns all entries as they are at one moment.
     * @throws As `txnSync` with `readOnly`.
     */
    toObject(): Record<string, V>;
    /**
     * Sets a value: null, a boolean, number, bigint, string, bytes, a typed array, or what `structuredClone`
     * takes of plain objects, arrays, Map, Set, Date, RegExp and Error. A key has 1 to 65,536 bytes of UTF-8.
     * @throws `ERR_SHM_VALUE` for a value that cannot be stored; `ERR_SHM_KEY` or `ERR_INVALID_ARG_TYPE` for an
     * invalid key; `ERR_SHM_TIMEOUT` if others write for longer than `lockTimeout`; `ERR_SHM_FULL` if the dict
     * has grown to `maxByteLength`; `ENOSPC` if `/dev/shm` is full; `ERR_SHM_DEADLOCK` inside a txn of this dict
     * (use the txn); `ERR_SHM_READ_ONLY`; `ERR_SHM_CLOSED`; `ERR_SHM_CORRUPT`; `ERR_SHM_LOCK_LOST`; on the first
     * write through this handle as `SharedMemory.txn`, such as `ERR_SHM_UNLINKED`. Nothing has changed then,
     * except after `ERR_SHM_LOCK_LOST`.
     */
    set(key: string, value: V): this;
    /**
     * Deletes a key, and returns whether it existed.
     * @throws As `set`, without the errors about values.
     */
    delete(key: string): boolean;
    /**
     * Deletes all keys at once.
     * @throws As `set`, without the errors about keys and values.
     */
    clear(): void;
    /**
     * Returns the existing value, or sets and returns this one.
     * @throws As `set`.
     */
    getOrInsert(key: string, value: V): V;
    /**
     * Returns the existing value, or sets and returns what `compute` makes of the key. Only one process runs
     * `compute`, and other writers wait for it.
     * @throws What `compute` throws; otherwise as `set`.
     */
    getOrInsertComputed(key: string, compute: (key: string) => V): V;
    /**
     * Sets the value to what `change` returns, without other writes in between, and returns it. If `change`
     * throws, nothing changes.
     * @throws What `change` throws; otherwise as `set`.
     */
    update(key: string, change: (old: V | undefined) => V): V;
    /**
     * Adds `by`, by default 1, to a number, without other writes in between, and returns the sum. A missing key
     * counts as 0.
     * @throws `ERR_SHM_VALUE` if the value is not a number; `ERR_INVALID_ARG_TYPE` if `by` is not; otherwise as
     * `set`.
     */
    increment(key: string, by?: number): number;
    /**
     * Sets the value if the current one equals `expected` (undefined: the key is missing), and returns whether it
     * did. Objects are compared as by `util.isDeepStrictEqual`, other values by their stored bytes.
     * @throws As `set`.
     */
    compareAndSet(key: string, expected: V | undefined, value: V): boolean;
    /**
     * Sets all of these entries in one commit.
     * @throws As `set`.
     */
    assign(entries: Record<string, V> | Iterable<[string, V]>): this;
    /**
     * Reads and writes several keys as one: other processes see all of its changes or none, even if this process
     * dies. A body that throws changes nothing. With `readOnly` the body runs beside writers and sees the dict at
     * one moment; it may run more than once.
     * @throws What the body throws; `ERR_SHM_TIMEOUT` (default: no timeout); the signal's reason;
     * `ERR_INVALID_RETURN_VALUE` if the body returns a promise; `ERR_SHM_BUSY` on a read-only handle if others
     * write for longer than `lockTimeout`, or one died while it wrote; otherwise as `set`.
     */
    txn<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnOptions): Promise<T>;
    /**
     * As `txn`, but blocks the thread.
     * @throws `ERR_SHM_DEADLOCK` inside another txn of this thread; otherwise as `txn`.
     */
    txnSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T;
    /** Closes this handle and releases its memory. Idempotent. */
    close(): void;
    /**
     * Removes the name. Attached handles keep the memory; only those that have written before can go on writing.
     * @throws As `SharedMemory.unlink`.
     */
    unlink(): void;
}

/** Options for creating a dict. */
interface DictOptions extends Omit<CreateOptions, 'reserve' | 'populate'> {
    /** Initial size in bytes; the dict grows. Default 64 KB (65,536). */
    byteLength?: number;
    /**
     * Bytes that the dict may grow to. Memory that is not used is not reserved. Default: a quarter of what is
     * free in `/dev/shm`.
     */
    maxByteLength?: number;
    /** Milliseconds that `set()` and other writes outside a txn wait for other writers. Default 10,000. */
    lockTimeout?: number;
    /**
     * Number of keys that this handle caches, with their values if those are short: 0 to 2 ** 20. Default 10,000.
     */
    cacheSize?: number;
}

/** Options for attaching to a dict. */
interface DictAttachOptions {
    /**
     * Refuse writes through this handle with `ERR_SHM_READ_ONLY`. Default false, or true for the descriptor of a
     * read-only handle.
     */
    readOnly?: boolean;
    /** Allow a dict of another user. Default false. */
    foreign?: boolean;
    /** Milliseconds that `set()` and other writes outside a txn wait for other writers. Default 10,000. */
    lockTimeout?: number;
    /**
     * Number of keys that this handle caches, with their values if those are short: 0 to 2 ** 20. Default 10,000.
     */
    cacheSize?: number;
}

/** How full a dict is. */
interface DictFill {
    /** Bytes that its entries and its table take. */
    used: number;
    /** Number of commits since the dict was created. */
    generation: number;
}

/** The types of a dict's values that a view can show in place. */
type ViewOf<V> = unknown extends V ? NodeJS.TypedArray : Extract<V, NodeJS.TypedArray>;

/** A dict's entries inside a txn. A read-only body may run more than once. */
interface DictTxn<V> {
    /**
     * Number of entries.
     * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    readonly size: number;
    /**
     * Returns a fresh copy of the value, or undefined if the key is missing.
     * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.get`.
     */
    get(key: string): V | undefined;
    /**
     * Shows bytes or a typed array in place, for large ones; undefined if the key is missing. The view is valid
     * until the body ends, and has length 0 after that. Writes to it reach no other process. A read-only txn
     * takes the lock for a view. On a read-only handle, or if this txn has set the value, it is a copy.
     * @throws `ERR_SHM_VALUE` if the value is neither; `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.get` and
     * `SharedMemory.buffer`.
     */
    view(key: string): ViewOf<V> | undefined;
    /**
     * Whether the key exists.
     * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.has`.
     */
    has(key: string): boolean;
    /**
     * Sets a value; it is stored when the body ends.
     * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`; `ERR_SHM_VALUE` for a value that cannot be stored;
     * `ERR_SHM_KEY` or `ERR_INVALID_ARG_TYPE` for an invalid key. The length of a key is checked at the end of
     * the body.
     */
    set(key: string, value: V): void;
    /**
     * Deletes a key, and returns whether it existed.
     * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`; otherwise as `has`.
     */
    delete(key: string): boolean;
    /**
     * Deletes all keys.
     * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    clear(): void;
    /**
     * Sets the value to what `change` returns, and returns it.
     * @throws What `change` throws; otherwise as `get` and `set`.
     */
    update(key: string, change: (old: V | undefined) => V): V;
    /**
     * Adds `by`, by default 1, to a number, and returns the sum. A missing key counts as 0.
     * @throws `ERR_SHM_VALUE` if the value is not a number; `ERR_INVALID_ARG_TYPE` if `by` is not; otherwise as
     * `get` and `set`.
     */
    increment(key: string, by?: number): number;
    /**
     * Iterates over the keys.
     * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    keys(): IterableIterator<string>;
    /**
     * Iterates over the values.
     * @throws As `get`.
     */
    values(): IterableIterator<V>;
    /**
     * Iterates over the entries.
     * @throws As `get`.
     */
    entries(): IterableIterator<[string, V]>;
}

/**
 * A bounded queue of items of one size, between processes and threads. Items are written and read in place, a
 * full queue makes producers wait, and the queue goes on if a process dies.
 *
 * ```js
 * using frames = SharedQueue.create({ name: 'frames', slots: 8, dtype: 'uint8', shape: [1080, 1920, 3] });
 * using slot = await frames.claim(); // waits while it is full
 * camera.readInto(slot.data);
 * slot.commit();
 * // another process
 * for await (const frame of SharedQueue.attach('frames')) show(frame);
 * ```
 */
declare class SharedQueue<D extends DType = DType> extends SegmentHandle implements AsyncIterable<DTypes[D]> {
    #private;
    /** Number of slots, each of which holds one item. */
    readonly slots: number;
    /** Type of the elements, by numpy's name. */
    readonly dtype: D;
    /** Length of each dimension of an item, in elements; empty if none was given. */
    readonly shape: readonly number[];
    /** Whether the queue is for one producer and one consumer. */
    readonly spsc: boolean;
    private constructor();
    /**
     * Creates an empty queue.
     * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
     * `SharedMemory.create` and `SharedMemory.buffer`. Nothing is left behind.
     */
    static create<D extends DType = 'float64'>(options: QueueOptions<D>): SharedQueue<D>;
    /**
     * Opens the queue of this name, or creates it. The first caller creates, the others attach, and all of them
     * own it.
     * @throws `ERR_SHM_MISMATCH` if the existing queue is not as the options say; otherwise as `create` (but not
     * `EEXIST`) and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, options: QueueOptions<D>): SharedQueue<D>;
    /**
     * Opens an existing queue, by its name or its descriptor.
     * @throws `ERR_SHM_NOT_A_QUEUE` if the segment is something else; `ERR_SHM_MISMATCH` if its items are not
     * what the options say; `ERR_SHM_VERSION` if a newer shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY`
     * (255 threads have it open); `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` and
     * `SharedMemory.buffer`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: QueueAttachOptions<D>): SharedQueue<D>;
    /**
     * Whether `end()` was called, in any process.
     * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the queue's buffer was transferred.
     */
    get ended(): boolean;
    /**
     * Number of items, including those that are being written.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    get length(): number;
    /**
     * Number of claimed or taken slots that were lost because the thread that held them died.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    get lost(): number;
    /**
     * Returns the number of slots that are claimed or taken now, and the holders of the first `limit` of them
     * (default 100), the oldest first.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`, `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`.
     */
    holders(limit?: number): {
        /** Number of slots that are held. */
        count: number;
        /** The holders of the first of them. */
        holders: SlotHolder[];
    };
    /**
     * Pushes a copy of the item; returns false if the queue is full.
     * @throws `ERR_SHM_ENDED` after `end()`; `ERR_INVALID_ARG_TYPE` for an item that is not a typed array of the
     * queue's type; `ERR_OUT_OF_RANGE` for an item of another length; `ERR_SHM_TOO_MANY` if the queue is `spsc`
     * and has another producer; `ERR_SHM_LOST` if another thread took the slot from this one; `ERR_SHM_CORRUPT`,
     * `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    tryPush(item: DTypes[D]): boolean;
    /**
     * Pushes a copy of the item, made at the call, as soon as there is room.
     * @throws `ERR_SHM_TIMEOUT`; the signal's reason; otherwise as `tryPush`.
     */
    push(item: DTypes[D], options?: WaitOptions): Promise<void>;
    /**
     * Pushes a copy of the item. Blocks the thread until there is room.
     * @throws `ERR_SHM_TIMEOUT`; otherwise as `tryPush`.
     */
    pushSync(item: DTypes[D], options?: SyncWaitOptions): void;
    /**
     * Returns a fresh copy of the next item; undefined if there is none now.
     * @throws `ERR_SHM_TOO_MANY` if the queue is `spsc` and has another consumer; `ERR_SHM_LOST` if another
     * thread took the slot from this one; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    tryPop(): DTypes[D] | undefined;
    /**
     * Copies the next item into `out`; returns false if there is none now.
     * @throws `ERR_INVALID_ARG_TYPE` if `out` is not a typed array of the queue's type; `ERR_OUT_OF_RANGE` if it
     * has another length; otherwise as `tryPop`.
     */
    tryPopInto(out: DTypes[D]): boolean;
    /**
     * Resolves to a fresh copy of the next item, when there is one; undefined once the queue has ended and is
     * empty.
     * @throws `ERR_SHM_TIMEOUT`; the signal's reason; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
     * option; otherwise as `tryPop`.
     */
    pop(options?: WaitOptions): Promise<DTypes[D] | undefined>;
    /**
     * As `pop`, but blocks the thread.
     * @throws `ERR_SHM_TIMEOUT`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
     * `tryPop`.
     */
    popSync(options?: SyncWaitOptions): DTypes[D] | undefined;
    /**
     * Resolves to a slot to write the next item to, when there is room. Consumers do not see the item, nor any
     * claimed after it, until it is committed.
     * @throws As `push`, without the errors about items.
     */
    claim(options?: WaitOptions): Promise<ClaimedSlot<D>>;
    /**
     * As `claim`, but blocks the thread.
     * @throws As `pushSync`, without the errors about items.
     */
    claimSync(options?: SyncWaitOptions): ClaimedSlot<D>;
    /**
     * Returns a slot to write the next item to; undefined if the queue is full.
     * @throws As `tryPush`, without the errors about items.
     */
    tryClaim(): ClaimedSlot<D> | undefined;
    /**
     * Resolves to the slot of the next item, to read it in place until the slot is released; undefined once the
     * queue has ended and is empty.
     * @throws As `pop`.
     */
    take(options?: WaitOptions): Promise<TakenSlot<D> | undefined>;
    /**
     * As `take`, but blocks the thread.
     * @throws As `popSync`.
     */
    takeSync(options?: SyncWaitOptions): TakenSlot<D> | undefined;
    /**
     * Returns the slot of the next item; undefined if there is none now.
     * @throws As `tryPop`.
     */
    tryTake(): TakenSlot<D> | undefined;
    /**
     * Iterates over the items as they come, in arrays of as many as there are, at most `max`. Ends when the queue
     * has ended and is empty. A batch costs one turn of the event loop, however many items it has.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for an invalid option. The iteration rejects with the signal's
     * reason, and as `tryPop`.
     */
    batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined>;
    /**
     * Iterates over the items as they come, until the queue has ended and is empty.
     * @throws The iteration rejects as `tryPop`.
     */
    [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined>;
    /**
     * Ends the queue: later pushes and waiting producers fail with `ERR_SHM_ENDED`. Consumers take the items that
     * are left and then get undefined. Idempotent.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`, `ERR_SHM_CORRUPT`.
     */
    end(): void;
    /**
     * Closes this handle and gives back the slots that it holds. Waits through it fail with `ERR_SHM_CLOSED`.
     * Idempotent.
     */
    close(): void;
}

/** Options for creating a queue. */
interface QueueOptions<D extends DType> extends RingOptions<D> {
    /**
     * Whether the queue is for one producer and one consumer, which is faster. Otherwise any number of threads
     * may push and take. Default false.
     */
    spsc?: boolean;
}

/** Options for attaching to a queue. What you say about its items must agree with them. */
type QueueAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

/** Options for creating a queue or a broadcast. The memory is always reserved. */
interface RingOptions<D extends DType> extends Omit<CreateOptions, 'reserve'> {
    /** Number of slots, each of which holds one item: 1 to 2 ** 24, and 4 GB in all. */
    slots: number;
    /** Length of each dimension of an item, in elements. Default: one element. Items are flat typed arrays. */
    shape?: readonly number[];
    /** Type of the elements, by numpy's name. Default `'float64'`. */
    dtype?: D;
    /**
     * POSIX permission bits, set exactly: the umask has no effect. Every process that takes part needs read and
     * write permission. Default `0o600`.
     */
    mode?: number;
}

/** Options for attaching to a queue or a broadcast. What you say about the items must agree with them. */
interface RingAttachOptions<D extends DType = DType> {
    /** Type of the elements, by numpy's name. Default: any. */
    dtype?: D;
    /** Length of each dimension of an item, in elements. Default: any. */
    shape?: number | readonly number[];
    /** Allow a segment of another user. Default false. */
    foreign?: boolean;
}

/** A slot of a queue that this thread holds. Disposing of it gives it back. */
interface Slot<D extends DType = DType> extends Disposable {
    /**
     * The item in place, a flat typed array. Do not use it after the slot is given back: the memory may then
     * belong to the next holder.
     * @throws `ERR_SHM_CLOSED` if the slot was given back or the queue was closed; `ERR_SHM_DETACHED` if the
     * queue's buffer was transferred.
     */
    readonly data: DTypes[D];
}

/** A claimed slot, to write the next item to. Disposing of it abandons the item, unless it was committed. */
interface ClaimedSlot<D extends DType = DType> extends Slot<D> {
    /**
     * Publishes the item. Idempotent.
     * @throws `ERR_SHM_CLOSED` if the slot was abandoned or the queue was closed; `ERR_SHM_LOST` if another
     * thread took the slot from this one; `ERR_SHM_DETACHED`.
     */
    commit(): void;
}

/** A taken slot, to read an item in place. Disposing of it releases it. */
interface TakenSlot<D extends DType = DType> extends Slot<D> {
    /**
     * Gives the slot back: its memory is free for the next item. Idempotent.
     * @throws `ERR_SHM_CLOSED` if the queue was closed; `ERR_SHM_LOST` if another thread took the slot from this
     * one; `ERR_SHM_DETACHED`.
     */
    release(): void;
}

/** A slot of a queue that is held, and its holder. */
interface SlotHolder {
    /** Index of the slot, from 0. */
    slot: number;
    /** Whether a producer has claimed it or a consumer has taken it. */
    state: 'claimed' | 'taken';
    /** The process id of the holder, in its own PID namespace; 0 if unknown. */
    pid: number;
    /** Whether the holder has died. The slot then goes to the next thread that needs it. */
    died: boolean;
}

/** Options of `batches()`. */
interface BatchOptions {
    /** Number of items in a batch at most. Default 256. */
    max?: number;
    /** Ends the iteration with its reason. Default: none. */
    signal?: AbortSignal;
}

/**
 * Items of one size from one writer to many readers, between processes and threads. Each reader gets every
 * item.
 *
 * ```js
 * using prices = SharedBroadcast.create({ name: 'prices', slots: 1000, shape: [4] });
 * await prices.publish(Float64Array.of(1, 2, 3, 4)); // waits for the slowest reader
 * // other processes
 * using subscription = SharedBroadcast.attach('prices').subscribe();
 * for await (const price of subscription) show(price);
 * ```
 */
declare class SharedBroadcast<D extends DType = DType> extends SegmentHandle {
    #private;
    /** Number of slots, each of which holds one item. */
    readonly slots: number;
    /** Type of the elements, by numpy's name. */
    readonly dtype: D;
    /** Length of each dimension of an item, in elements; empty if none was given. */
    readonly shape: readonly number[];
    /** What happens if a reader is slower than the writer, as in `create`. */
    readonly onSlow: 'block' | 'drop';
    private constructor();
    /**
     * Creates a broadcast with no items.
     * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
     * `SharedMemory.create` and `SharedMemory.buffer`. Nothing is left behind.
     */
    static create<D extends DType = 'float64'>(options: BroadcastOptions<D>): SharedBroadcast<D>;
    /**
     * Opens the broadcast of this name, or creates it. The first caller creates, the others attach, and all of
     * them own it.
     * @throws `ERR_SHM_MISMATCH` if the existing broadcast is not as the options say; otherwise as `create` (but
     * not `EEXIST`) and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, options: BroadcastOptions<D>): SharedBroadcast<D>;
    /**
     * Opens an existing broadcast, by its name or its descriptor.
     * @throws `ERR_SHM_NOT_A_BROADCAST` if the segment is something else; `ERR_SHM_MISMATCH` if its items are not
     * what the options say; `ERR_SHM_VERSION` if a newer shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY`
     * (255 threads have it open); `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` and
     * `SharedMemory.buffer`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: BroadcastAttachOptions<D>): SharedBroadcast<D>;
    /**
     * Whether `end()` was called, in any process.
     * @throws `ERR_SHM_CLOSED`.
     */
    get ended(): boolean;
    /**
     * Number of items that were published, by all writers.
     * @throws `ERR_SHM_CLOSED`.
     */
    get published(): number;
    /**
     * Number of subscriptions in all processes. One whose process died counts until the writer notices.
     * @throws `ERR_SHM_CLOSED`.
     */
    get subscribers(): number;
    /**
     * Publishes a copy of the item; returns false if the slowest reader has not read what it would overwrite. The
     * first thread that publishes is the writer.
     * @throws `ERR_SHM_ENDED` after `end()`; `ERR_INVALID_ARG_TYPE` for an item that is not a typed array of the
     * broadcast's type; `ERR_OUT_OF_RANGE` for an item of another length; `ERR_SHM_TOO_MANY` if there is another
     * writer; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
     */
    tryPublish(item: DTypes[D]): boolean;
    /**
     * Publishes a copy of the item, made at the call, as soon as there is room.
     * @throws `ERR_SHM_TIMEOUT`; the signal's reason; otherwise as `tryPublish`.
     */
    publish(item: DTypes[D], options?: WaitOptions): Promise<void>;
    /**
     * Publishes a copy of the item. Blocks the thread until there is room.
     * @throws `ERR_SHM_TIMEOUT`; otherwise as `tryPublish`.
     */
    publishSync(item: DTypes[D], options?: SyncWaitOptions): void;
    /**
     * Ends the broadcast: later publishing fails with `ERR_SHM_ENDED`. Readers read the items that are left and
     * then get undefined. Idempotent.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    end(): void;
    /**
     * Starts reading: every item that is published from now on is for this reader, and with `from: 'oldest'` also
     * those that are still there. A writer that blocks waits for this reader until it is closed.
     * @throws `ERR_SHM_TOO_MANY` (255 subscriptions), `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`,
     * `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    subscribe(options?: SubscribeOptions): Subscription<D>;
    /** Closes this handle and its subscriptions. Waits through it fail with `ERR_SHM_CLOSED`. Idempotent. */
    close(): void;
}

/** Options for creating a broadcast. */
interface BroadcastOptions<D extends DType> extends RingOptions<D> {
    /**
     * What happens if a reader is slower than the writer: the writer waits for it (`'block'`), or the reader
     * loses the items that are overwritten (`'drop'`). Default `'block'`.
     */
    onSlow?: 'block' | 'drop';
}

/** Options for attaching to a broadcast. What you say about its items must agree with them. */
type BroadcastAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

/** Options of `subscribe()`. */
interface SubscribeOptions {
    /**
     * Where to start reading: at the next item that is published, or at the oldest one that is still there.
     * Default `'latest'`.
     */
    from?: 'latest' | 'oldest';
}

/** A reader of a broadcast, with its own position. Disposing of it closes it. */
interface Subscription<D extends DType = DType> extends AsyncIterable<DTypes[D]>, Disposable {
    /** Number of items that were overwritten before this reader got to them. Always 0 if the writer blocks. */
    readonly lost: number;
    /**
     * Number of items that this reader has not read yet.
     * @throws `ERR_SHM_CLOSED`.
     */
    readonly length: number;
    /** Whether `close()` was called, here or on its broadcast. */
    readonly closed: boolean;
    /**
     * Returns a fresh copy of the next item; undefined if there is none now.
     * @throws `ERR_SHM_LOST` if the writer blocks and this reader was believed dead, or its memory was
     * overwritten; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
     */
    tryNext(): DTypes[D] | undefined;
    /**
     * Copies the next item into `out`; returns false, with nothing of use in `out`, if there is none now.
     * @throws `ERR_INVALID_ARG_TYPE` if `out` is not a typed array of the broadcast's type; `ERR_OUT_OF_RANGE` if
     * it has another length; otherwise as `tryNext`.
     */
    tryNextInto(out: DTypes[D]): boolean;
    /**
     * Resolves to a fresh copy of the next item, when there is one; undefined once the broadcast has ended and
     * everything was read.
     * @throws `ERR_SHM_TIMEOUT`; the signal's reason; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
     * option; otherwise as `tryNext`.
     */
    next(options?: WaitOptions): Promise<DTypes[D] | undefined>;
    /**
     * As `next`, but blocks the thread.
     * @throws `ERR_SHM_TIMEOUT`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
     * `tryNext`.
     */
    nextSync(options?: SyncWaitOptions): DTypes[D] | undefined;
    /**
     * Iterates over the items as they come, in arrays of as many as there are, at most `max`. Ends when the
     * broadcast has ended and everything was read. A batch costs one turn of the event loop, however many items
     * it has. Leaving the loop closes the subscription.
     * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option. The iteration rejects with the
     * signal's reason, and as `tryNext`.
     */
    batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined>;
    /**
     * Iterates over the items as they come, until the broadcast has ended and everything was read. Leaving the
     * loop closes the subscription.
     * @throws The iteration rejects as `tryNext`.
     */
    [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined>;
    /** Stops reading: the writer no longer waits for this reader. Idempotent. */
    close(): void;
}

/**
 * A lock that any number of processes and threads share by its name. If a holder dies, the next one gets the
 * lock and is told (`ownerDied`).
 *
 * ```js
 * using mutex = SharedMutex.createOrAttach('ledger');
 * {
 *   using guard = await mutex.lock({ timeout: 1000 });
 *   if (guard.ownerDied) repair();
 * }
 * ```
 */
declare class SharedMutex extends SegmentHandle {
    #private;
    private constructor();
    /**
     * Opens the mutex of this name, or creates it. All callers own it.
     * @throws `ERR_SHM_NOT_A_LOCK` if the name belongs to something else; otherwise as `SharedMemory.create` (but
     * not `EEXIST`) and `attach`.
     */
    static createOrAttach(name: string, options?: LockOptions): SharedMutex;
    /**
     * Opens an existing mutex, by its name or its descriptor.
     * @throws `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a newer shmkit made it;
     * `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` (4095 threads have it open); otherwise as `SharedMemory.attach` and
     * `SharedMemory.buffer`.
     */
    static attach(target: string | Descriptor, options?: LockAttachOptions): SharedMutex;
    /**
     * Resolves to the lock when it is available. Callers of one thread are served first come, first served. A
     * wait that fails leaves no trace.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or
     * `ERR_INVALID_ARG_TYPE` for an invalid option.
     */
    lock(options?: WaitOptions): Promise<Guard>;
    /**
     * Blocks the thread until it has the lock.
     * @throws `ERR_SHM_DEADLOCK` if this thread has the lock already; `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`;
     * `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option.
     */
    lockSync(options?: SyncWaitOptions): Guard;
    /**
     * Returns the lock if it is available immediately; undefined if it is held, by this thread or any other.
     * @throws `ERR_SHM_CLOSED`.
     */
    tryLock(): Guard | undefined;
    /**
     * Closes this handle. A lock that was taken through it is released as if its holder had died, and waits
     * through it fail with `ERR_SHM_CLOSED`. Idempotent.
     */
    close(): void;
}

/** One acquisition of a mutex. Disposing of it unlocks the mutex. */
declare class Guard implements Disposable {
    #private;
    /**
     * Whether a holder died or failed with the lock, and no later holder has unlocked it since: check what it
     * guards.
     */
    readonly ownerDied: boolean;
    /**
     * Unlocks the mutex and confirms that what it guards is consistent. Idempotent; it never frees another
     * holder's lock.
     * @throws `ERR_SHM_LOCK_LOST` if another process took this one for dead, or overwrote the lock.
     */
    unlock(): void;
    /**
     * Calls `unlock()`.
     * @throws As `unlock`.
     */
    [Symbol.dispose](): void;
}

/** Options for creating a mutex or an event. */
interface LockOptions {
    /**
     * POSIX permission bits, 0 to `0o777`, set exactly: the umask has no effect. A process needs read and write
     * permission to take part. Default `0o600`.
     */
    mode?: number;
    /**
     * Unlink it when its last owner dies. Owners are the processes that called `createOrAttach()` or `adopt()`.
     * Default true.
     */
    track?: boolean;
}

/** Options for attaching to a mutex or an event. */
interface LockAttachOptions {
    /** Allow one of another user. Default false. */
    foreign?: boolean;
}

/**
 * A flag that any number of processes and threads can set, clear and wait for: Python's
 * `multiprocessing.Event`, by name.
 *
 * ```js
 * using ready = SharedEvent.createOrAttach('ready');
 * await ready.wait({ timeout: 1000 }); // another process: ready.set()
 * ```
 */
declare class SharedEvent extends SegmentHandle {
    #private;
    private constructor();
    /**
     * Opens the event of this name, or creates one that is not set. All callers own it.
     * @throws `ERR_SHM_NOT_A_LOCK` if the name belongs to something else; otherwise as `SharedMemory.create` (but
     * not `EEXIST`) and `attach`.
     */
    static createOrAttach(name: string, options?: LockOptions): SharedEvent;
    /**
     * Opens an existing event, by its name or its descriptor.
     * @throws `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a newer shmkit made it;
     * `ERR_SHM_CORRUPT`; otherwise as `SharedMemory.attach` and `SharedMemory.buffer`.
     */
    static attach(target: string | Descriptor, options?: LockAttachOptions): SharedEvent;
    /**
     * Whether the event is set.
     * @throws `ERR_SHM_CLOSED`.
     */
    get isSet(): boolean;
    /**
     * Sets the event: all waits end, and later ones return immediately.
     * @throws `ERR_SHM_CLOSED`.
     */
    set(): void;
    /**
     * Clears the event. Waits that were pending when it was set still end.
     * @throws `ERR_SHM_CLOSED`.
     */
    clear(): void;
    /**
     * Resolves when the event is set.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or
     * `ERR_INVALID_ARG_TYPE` for an invalid option.
     */
    wait(options?: WaitOptions): Promise<void>;
    /**
     * Blocks the thread until the event is set.
     * @throws `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
     * option.
     */
    waitSync(options?: SyncWaitOptions): void;
    /** Closes this handle. Waits through it fail with `ERR_SHM_CLOSED`. Idempotent. */
    close(): void;
}

/** Exclusive (or, with `readOnly`, shared) access to a segment's bytes. Disposing of it ends it. */
interface Txn extends Disposable {
    /** Whether this txn only reads. */
    readonly readOnly: boolean;
    /** Whether a holder died or threw inside its txn, and no later txn has ended well since: check the data. */
    readonly ownerDied: boolean;
    /**
     * The bytes in place, for `bytes[i] = x`. With `readOnly` a view: writes to it reach no other process.
     * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
     */
    readonly bytes: Buffer;
    /**
     * Returns the byte at `index`; a negative index counts from the end.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
     */
    get(index: number): number;
    /**
     * Sets the byte at `index` to a number from 0 to 255; a negative index counts from the end.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
     */
    set(index: number, byte: number): void;
    /**
     * Returns a copy of the bytes from `start` (default 0) to before `end` (default: the end), as
     * `Array.prototype.slice`.
     * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
     */
    slice(start?: number, end?: number): Buffer;
    /**
     * Copies all of `bytes` to byte `offset`, by default 0.
     * @throws `ERR_OUT_OF_RANGE` if they do not fit, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`,
     * `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
     */
    write(bytes: Uint8Array, offset?: number): void;
    /**
     * Ends the txn and confirms that the data is consistent, as disposing of it does. Idempotent.
     * @throws `ERR_SHM_LOCK_LOST` if another process took this one for dead, or overwrote the lock.
     */
    end(): void;
}

/** Options of a txn that does not block the thread. */
type TxnOptions = WaitOptions & {
    /** Only read, beside other readers. Default false. */
    readOnly?: boolean | undefined;
};

/** Options of a txn that blocks the thread. */
type TxnSyncOptions = SyncWaitOptions & {
    /** Only read, beside other readers. Default false. */
    readOnly?: boolean | undefined;
};

/** The result of a synchronous body: any type but a promise. */
type Plain<T> = T extends PromiseLike<unknown> ? never : T;

/** Options of a wait that does not block the thread. */
interface WaitOptions {
    /** Milliseconds to wait before `ERR_SHM_TIMEOUT`; 0 does not wait. Default: no limit. */
    timeout?: number | undefined;
    /** Ends the wait, which rejects with the signal's reason. Default: none. */
    signal?: AbortSignal | undefined;
}

/** Options of a wait that blocks the thread. */
interface SyncWaitOptions {
    /** Milliseconds to wait before `ERR_SHM_TIMEOUT`; 0 does not wait. Default: no limit. */
    timeout?: number | undefined;
    /**
     * Number of spins before the thread sleeps. A spin takes some nanoseconds, a sleep and a wake-up some 50 µs.
     * Default 2000, or 0 if there is only one CPU.
     */
    spin?: number | undefined;
}

/** What a pool's type knows of its module: `Pool<typeof import('./work.js')>`. */
/** Any name, if it is not known what the module exports. */
type AnyName<Module> = unknown extends Module ? string : never;

/** The names of a module's functions that can be called so. */
type NameOf<Module, Called> = {
    [Name in keyof Module]: Module[Name] extends Called ? Name : never;
}[keyof Module] & string;

/** What `run` can call. */
type Call = (...args: never[]) => unknown;

/** The arguments of a module's function. */
type Arguments<Module, Name> = Name extends keyof Module ? Module[Name] extends (...args: infer Args) => unknown ? Args : never : never;

/** What a module's function returns, or its promise resolves to. */
type Result<Module, Name> = Name extends keyof Module ? Module[Name] extends (...args: never[]) => infer R ? Awaited<R> : never : never;

/** What `map` can call. */
type CallOfItem = (item: never) => unknown;

/** The type of the items of `map`. */
type Item<Module, Name> = Arguments<Module, Name> extends readonly [] ? unknown : Arguments<Module, Name>[0];

/** What `mapArray` can call. */
type CallOfParts = (input: never, output: never, from: number) => unknown;

/**
 * Worker processes that call the functions of a module. Arguments and results are passed as by
 * `structuredClone`, or to Python as values that both languages have. Shared objects in them arrive attached to
 * the same memory.
 *
 * ```js
 * await using pool = new Pool(new URL('./work.js', import.meta.url));
 * const sums = await pool.map('sumOf', parts); // export function sumOf(part) { … }
 * ```
 *
 * In TypeScript, `new Pool<typeof import('./work.js')>(…)` checks names, arguments and results.
 */
declare class Pool<Module = unknown> implements AsyncDisposable {
    #private;
    /**
     * Creates a pool for a module: a `file:` URL, or a path, which is relative to the working directory. The
     * module is an ES module, CommonJS, TypeScript if this process has a loader for it (`--import=tsx`), or
     * Python (`.py`).
     * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, `ERR_SHM_UNSUPPORTED` on a platform without a binary.
     */
    constructor(module: string | URL, options?: PoolOptions);
    /**
     * Calls a function of the module in a worker process, and resolves to what it returns. If the worker dies,
     * the call is not repeated, because it may have had effects.
     * @throws What the function throws; `ERR_SHM_WORKER_DIED` (see `WorkerDiedError`); `ERR_SHM_METHOD` if the
     * module exports no such function; `ERR_SHM_MODULE` if it cannot be loaded; `ERR_SHM_VALUE` if an argument or
     * the result cannot be sent; `ERR_SHM_CLOSED` if the pool or a shared object is closed;
     * `ERR_INVALID_ARG_TYPE`; as `attach` for shared objects.
     */
    run<R>(method: AnyName<Module>, ...args: unknown[]): Promise<R>;
    /**
     * As above, for a pool that knows what the module exports.
     * @throws As above.
     */
    run<Name extends NameOf<Module, Call>>(method: Name, ...args: Arguments<Module, Name>): Promise<Result<Module, Name>>;
    /**
     * Calls a function of the module with each item, on all workers, and resolves to the results in the order of
     * the items. Items are taken as workers become free. The first error ends the map and has the index of its
     * `item`; workers finish the item that they are at.
     *
     * If a worker dies, its chunk is tried once more, so the function may see those items twice.
     * @throws As `run`; what the iterator or `onProgress` throws; the signal's reason; `ERR_OUT_OF_RANGE` for an
     * invalid `chunk`.
     */
    map<T, R>(method: AnyName<Module>, items: Iterable<T>, options?: MapOptions): Promise<R[]>;
    /**
     * As above, for a pool that knows what the module exports.
     * @throws As above.
     */
    map<Name extends NameOf<Module, CallOfItem>>(method: Name, items: Iterable<Item<Module, Name>>, options?: MapOptions): Promise<Result<Module, Name>[]>;
    /**
     * Calls a function of the module with each part of two arrays, cut along their first dimension:
     * `method(input, output, from)`, where `from` is the first index of the part. Workers read and write in
     * place; nothing is copied.
     *
     * If a worker dies, its part is done once more, so the function must not read its input from where it writes
     * its output.
     * @throws `ERR_OUT_OF_RANGE` if an array has no dimension or the two have different lengths;
     * `ERR_INVALID_ARG_TYPE`; `ERR_SHM_CLOSED`; otherwise as `map`.
     */
    mapArray(method: AnyName<Module> | NameOf<Module, CallOfParts>, input: SharedArray, output: SharedArray, options?: MapOptions): Promise<void>;
    /**
     * Takes no more calls, waits for the running ones, and ends the workers. A worker that has not ended after 5
     * seconds is killed. Idempotent.
     */
    close(): Promise<void>;
    /**
     * Takes no more calls, makes all calls fail with `ERR_SHM_CLOSED`, and kills the workers. Resolves when they
     * are dead and what only they owned is unlinked. Idempotent; a pending `close()` resolves as well.
     */
    terminate(): Promise<void>;
    /** Calls `close()`. */
    [Symbol.asyncDispose](): Promise<void>;
}

/** Options for creating a pool. */
interface PoolOptions {
    /**
     * Number of worker processes at most. Each is started when it is needed. Default `os.availableParallelism()`.
     */
    workers?: number;
    /** The Python interpreter for a module in Python; refused for other modules. Default `'python3'`. */
    python?: string;
}

/** Options of `map` and `mapArray`. */
interface MapOptions {
    /**
     * Number of items (of `mapArray`: indexes of the first dimension) that a worker gets at a time. Default: four
     * rounds for each worker, or 1 if the number of items is not known in advance. `mapArray` by default hands
     * out three quarters of the array in the first round and the rest in smaller parts.
     */
    chunk?: number;
    /**
     * Called after each chunk with the number of items that are done. If their number is not known in advance,
     * `total` is the number of items taken until then. If it throws, the map ends with that error. Default: none.
     */
    onProgress?: (done: number, total: number) => void;
    /** Ends the map, which rejects with the signal's reason. No further item is started. Default: none. */
    signal?: AbortSignal;
}

/** The error of a call whose worker process died. What it was working on is lost. */
interface WorkerDiedError extends ShmError {
    /** The code of this error. */
    code: 'ERR_SHM_WORKER_DIED';
    /** The function that was called. */
    method: string;
    /** Of a `map`: the worker was at one of the items `from` to `to - 1`. */
    items?: {
        /** Index of the first item. */
        from: number;
        /** Index after the last item. */
        to: number;
    };
    /** The worker's process id; missing if it could not be started. */
    pid?: number;
    /** The worker's exit code; null if a signal ended it or it could not be started. */
    exitCode: number | null;
    /** The signal that ended the worker; null if it exited or could not be started. */
    signal: NodeJS.Signals | null;
}

/**
 * A server process that owns what it hands out. All of it is unlinked when the manager is shut down or dies, or
 * when the process that started it dies. It speaks the protocol of CPython's
 * `multiprocessing.managers.SharedMemoryManager`: Python's class connects to it, and this class connects to
 * Python's.
 *
 * ```js
 * await using manager = await new SharedMemoryManager().start();
 * const shm = await manager.sharedMemory(4096);
 * ```
 */
declare class SharedMemoryManager implements AsyncDisposable {
    #private;
    /**
     * Creates a manager that is neither started nor connected.
     * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
     */
    constructor(options?: ManagerOptions);
    /**
     * Where the manager listens: what other processes give as `address`.
     * @throws `ERR_SHM_NOT_STARTED` before `start()`, if no address was given.
     */
    get address(): Address;
    /**
     * Starts the server process, which ends with this process. It also owns the segments that clients create
     * through `connect()`. Requests wait until it serves. If it cannot, they fail with its reason or
     * `ERR_SHM_START`.
     * @throws `EADDRINUSE`, `EADDRNOTAVAIL`, `ENOENT`, `EACCES`, `ENAMETOOLONG` or another system error, because
     * of the address; `ERR_INVALID_ARG_VALUE` for a host other than this machine; `ERR_SHM_START` if the process
     * cannot be started; `ERR_SHM_STARTED` if the manager is started or connected already; `ERR_SHM_CLOSED` after
     * `shutdown()`; `ERR_SHM_UNSAFE_LEDGERS`, `ERR_SHM_BUSY`.
     */
    start(): Promise<this>;
    /**
     * Connects to the server that listens at `address`, in Node or Python. The server goes on when this process
     * ends.
     * @throws `ERR_SHM_AUTH` for another authkey; `ERR_SHM_TIMEOUT`; `ERR_SHM_PROTOCOL` if something else listens
     * there; `ENOENT`, `ECONNREFUSED`, `EACCES`, `ENAMETOOLONG` or another system error; `ERR_INVALID_ARG_VALUE`
     * without an address or an authkey; `ERR_SHM_STARTED` if the manager is started or connected already;
     * `ERR_SHM_CLOSED` after `shutdown()`.
     */
    connect(): Promise<this>;
    /**
     * Creates a segment of `size` zero bytes that the manager owns.
     * @throws As `SharedMemory.create` and `names`. Nothing is left behind.
     */
    sharedMemory(size: number): Promise<SharedMemory>;
    /**
     * Creates a list of these values that the manager owns.
     * @throws As `ShareableList.create` and `names`. Nothing is left behind.
     */
    shareableList(values: Iterable<ListItem | Float>): Promise<ShareableList>;
    /**
     * Creates an empty dict that the manager owns.
     * @throws As `SharedDict.create` and `names`. Nothing is left behind.
     */
    dict<V = unknown>(): Promise<SharedDict<V>>;
    /**
     * Creates an array of zeros, with a `.npy` header, that the manager owns.
     * @throws As `SharedArray.create` and `names`. Nothing is left behind.
     */
    array<D extends DType = 'float64'>(shape: number | readonly number[], options?: {
        /** Type of the elements, by numpy's name. Default `'float64'`. */
        dtype?: D;
    }): Promise<SharedArray<D>>;
    /**
     * Resolves to the names of the segments that the manager owns, in the order in which it became their owner.
     * @throws `ERR_SHM_NOT_STARTED` before `start()` or `connect()`; `ERR_SHM_CLOSED` after `shutdown()`;
     * `ERR_SHM_TIMEOUT`; `ECONNREFUSED`, `ENOENT` or `ECONNRESET` if the manager is gone; `ERR_SHM_START`, or its
     * reason, if it could not start; `ERR_SHM_MANAGER` with what it says if it refuses; `ERR_SHM_AUTH`,
     * `ERR_SHM_PROTOCOL` if another server listens there now.
     */
    names(): Promise<string[]>;
    /**
     * Has the manager unlink one of its segments now. Attached handles keep the memory.
     * @throws `ERR_SHM_MANAGER` if the manager does not own it; `ERR_INVALID_ARG_TYPE`; otherwise as `names`.
     */
    release(target: string | {
        /** The segment's name, without a leading slash. */
        readonly name: string;
    }): Promise<void>;
    /**
     * Ends the server, even if this object only connected to it. What it owns is unlinked when this resolves.
     * Idempotent.
     * @throws `ERR_SHM_NOT_STARTED` while `start()` or `connect()` is running; as `names` if this object did not
     * start the server.
     */
    shutdown(): Promise<void>;
    /**
     * Calls `shutdown()` if this object started the server; otherwise closes the connection, and the server goes
     * on.
     */
    [Symbol.asyncDispose](): Promise<void>;
}

/** Address and key of a manager. */
interface ManagerOptions {
    /**
     * The path of a Unix socket, or a port of this machine (`host`: `'localhost'` or `'127.0.0.1'`; `port`: 0 for
     * a free one). Default: a socket in a directory that only this user can look into.
     */
    address?: Address;
    /**
     * The key that both sides must know, 1 to 4096 bytes; a string stands for its UTF-8. Default: 32 random
     * bytes.
     */
    authkey?: Uint8Array | string;
    /** Milliseconds that a request may take. Default 10,000. */
    timeout?: number;
}

/** Where a manager listens: the path of a Unix socket (at most 107 bytes), or a TCP port of this machine. */
type Address = string | {
    /** `'localhost'` or `'127.0.0.1'`. */
    host: string;
    /** TCP port, 0 to 65,535; 0 starts a manager at a free one. */
    port: number;
};

/**
 * Returns every segment of the system, sorted by name, whichever process or language created it.
 * @throws `EACCES`, `EMFILE` or another system error if `/dev/shm` cannot be read.
 */
declare function segments(): SegmentInfo[];

/** A segment, as every process of its user can see it. */
interface SegmentInfo {
    /** The segment's name, without a leading slash. */
    name: string;
    /** Size in bytes. */
    size: number;
    /** What its bytes look like. */
    kind: 'memory' | 'list' | 'dict' | 'array' | 'queue' | 'broadcast' | 'lock';
    /** Process ids of the live owners; 0 stands for a process in another PID namespace. */
    owners: number[];
    /** Ids of the processes that have it open or mapped, as far as this user can see; Python's too. */
    attached: number[];
    /** Whether all of its owners are dead, or Python chose its name and no process has it open. */
    leaked: boolean;
    /** Id of the user that it belongs to. */
    uid: number;
    /** POSIX permission bits. */
    mode: number;
    /** When it was created. */
    created: Date;
}

/**
 * Unlinks what dead owners left, and returns the names. The resource tracker does so within 100 ms of a death;
 * call this if there is no tracker.
 * @throws `ERR_SHM_BUSY` if another process holds the ledgers' lock for 2 seconds; `ERR_SHM_UNSAFE_LEDGERS` if
 * other users can write to the directory of the ledgers; `ERR_INVALID_ARG_TYPE`.
 */
declare function collectGarbage(options?: CollectOptions): string[];

/** Options of `collectGarbage`. */
interface CollectOptions {
    /** Only return what would be removed, and remove nothing. Default false. */
    dryRun?: boolean;
    /**
     * Also remove what Python's processes seem to have left: segments with Python's naming (`psm_…`) that no
     * process has open. Default false.
     */
    python?: boolean;
}

/**
 * Removes the name of a segment, whichever process created it, without a handle. Attached handles keep the
 * memory.
 * @throws `ENOENT`; `EPERM` or `EACCES` if it belongs to another user; `ERR_SHM_NOT_A_SEGMENT`; `ERR_SHM_BUSY`
 * if another process holds the ledgers' lock for 2 seconds; `ERR_SHM_NAME`; `ERR_INVALID_ARG_TYPE`.
 */
declare function unlink(name: string): void;

/**
 * Tells the resource tracker of a Python parent (`multiprocessing.resource_tracker`) what this process creates,
 * adopts and unlinks from now on. It then neither removes a segment that was handed over nor warns about one
 * that is gone. After that, a name that the format cannot express is refused with `ERR_SHM_PYTHON_TRACKER`.
 * @throws `EBADF` if `fd` is not open; `ERR_INVALID_ARG_VALUE` if it is not a pipe that can be written to;
 * `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`.
 */
declare function joinPythonTracker(options: PythonTrackerOptions): void;

/** How to reach the resource tracker of a Python parent (`multiprocessing.resource_tracker`). */
interface PythonTrackerOptions {
    /**
     * The file descriptor of the pipe that the parent lets this process inherit:
     * `multiprocessing.resource_tracker.getfd()`. It is duplicated.
     */
    fd: number;
    /**
     * The format in which CPython writes to the pipe. All versions understand `'colon'`, for ASCII names without
     * a colon. 3.13.10, 3.14.1 and later understand `'json'`, for any name. Default `'colon'`.
     */
    format?: 'colon' | 'json';
}

/**
 * Returns the current state of a lock or an event, without taking part in it.
 * @throws `ENOENT`; `EACCES`; `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a
 * newer shmkit made it; `ERR_SHM_CORRUPT` or `ERR_SHM_TRUNCATED` if its file was cut short; `ERR_SHM_EMPTY`,
 * `ERR_SHM_NOT_A_SEGMENT`, `ELOOP`, `EMFILE`, `ERR_SHM_NAME`, `ERR_INVALID_ARG_TYPE`.
 */
declare function lockState(name: string): LockState;

/**
 * The state of a lock or an event, seen without taking part in it. Process ids are those of the participants'
 * own PID namespaces.
 */
interface LockState {
    /** What it is: a `SharedMutex`, a `SharedEvent`, or the lock beside a segment (`NAME.lk`). */
    what: 'mutex' | 'event' | 'sidecar';
    /** Whether it is an event that is set. */
    set: boolean;
    /** Process id of the exclusive holder; 0 if unknown, null if there is none. */
    holder: number | null;
    /** Whether the holder is dead: the next process that wants the lock gets it. */
    holderDied: boolean;
    /** Ids of the processes that read. */
    readers: number[];
    /** Whether a thread waits for it, or did until a moment ago. */
    awaited: boolean;
    /** Whether the last writer died or failed, so that the next holder is told (`ownerDied`). */
    inconsistent: boolean;
    /** Ids of the processes that have it open, once for each thread that does. */
    participants: number[];
}

export { SharedMemory, SegmentPool, attach, ShareableList, float, SharedArray, npyHeader, SharedDict, SharedQueue, SharedBroadcast, SharedMutex, SharedEvent, Pool, SharedMemoryManager, segments, collectGarbage, unlink, joinPythonTracker, lockState };
export type { CreateOptions, AttachOptions, SegmentPoolOptions, Descriptor, SharedObject, Shared, ShmError, ListCreateOptions, ListAttachOptions, ListItem, Float, ArrayOptions, ArrayCreateOptions, ArrayFromOptions, ArrayAttachOptions, DType, DTypes, ElementOf, Typed, DTypeOf, Nested, Order, SliceRange, NpyHeader, NpyType, DictOptions, DictAttachOptions, DictFill, DictTxn, QueueOptions, QueueAttachOptions, RingOptions, RingAttachOptions, Slot, ClaimedSlot, TakenSlot, SlotHolder, BatchOptions, BroadcastOptions, BroadcastAttachOptions, SubscribeOptions, Subscription, Guard, LockOptions, LockAttachOptions, Txn, TxnOptions, TxnSyncOptions, Plain, WaitOptions, SyncWaitOptions, PoolOptions, MapOptions, WorkerDiedError, ManagerOptions, Address, SegmentInfo, CollectOptions, PythonTrackerOptions, LockState };
