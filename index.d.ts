// Made by `npm run build` from index.ts and src/: the whole public surface on one page.
import { Buffer } from 'node:buffer';

/** What names a shared object in another process or thread: plain data, for `process.send` or `postMessage`. */
interface Descriptor {
    readonly kind: string;
    readonly name: string;
    readonly [detail: string]: unknown;
}
/** What all shared objects have. */
interface SharedObject extends Disposable {
    /** The segment's name, without a leading slash. */
    readonly name: string;
    readonly closed: boolean;
    /** Makes this process an owner: the segment is unlinked when the last owner is dead. */
    adopt(): void;
    /** Lets go of the memory in this handle. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached stays attached. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
}

/** How long to wait, and what calls it off. */
interface WaitOptions {
    /** Milliseconds; 0 does not wait at all. Default: without an end. */
    timeout?: number;
    /** Rejects the wait with its reason. */
    signal?: AbortSignal;
}
/** How long to block the thread. */
interface SyncWaitOptions {
    /** Milliseconds; 0 does not wait at all. Default: without an end. */
    timeout?: number;
    /** So many looks before the thread goes to sleep: a look takes some nanoseconds, a sleep and a wake-up some 50 µs.
     * Default 2000, and 0 where there is one CPU. */
    spin?: number;
}

/** How to make a lock or an event. */
interface LockOptions {
    /** Permission bits, set exactly. Who may lock must be allowed to read and to write. Default `0o600`. */
    mode?: number;
    /** Unlinked when its last owner dies: each process that called createOrAttach() or adopt(). Default true. */
    track?: boolean;
}
/** How to attach to a lock or an event. */
interface LockAttachOptions {
    /** Allow one of another user. Default false. */
    foreign?: boolean;
}
/** One acquisition of a mutex. */
declare class Guard implements Disposable {
    #private;
    /** A holder died, or failed, with the lock: check what it guards. */
    readonly ownerDied: boolean;
    /**
     * Lets go of the lock, and says that what it guards is in order. Idempotent; never frees somebody else's.
     * @throws `ERR_SHM_LOCK_LOST` where another process took this one for dead, or overwrote the lock.
     */
    unlock(): void;
    /** `unlock()` */
    [Symbol.dispose](): void;
}
/**
 * A lock that any number of processes and threads share by its name, and that outlives whoever dies with it: the next
 * one gets it and is told (`ownerDied`).
 *
 * ```js
 * using mutex = SharedMutex.createOrAttach('ledger');
 * {
 *   using guard = await mutex.lock({ timeout: 1000 });
 *   if (guard.ownerDied) repair();
 * }
 * ```
 */
declare class SharedMutex implements SharedObject {
    #private;
    readonly name: string;
    private constructor();
    /**
     * Opens the mutex of this name, or makes it; all who call this own it.
     * @throws `ERR_SHM_NOT_A_LOCK` (the name belongs to something else), `ERR_SHM_NAME`, `ERR_SHM_FOREIGN`, `EACCES`,
     * `ENOSPC`.
     */
    static createOrAttach(name: string, options?: LockOptions): SharedMutex;
    /**
     * Opens an existing mutex, by its name or its descriptor.
     * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_TOO_MANY` (4095 threads have
     * it open), `EACCES`.
     */
    static attach(target: string | Descriptor, options?: LockAttachOptions): SharedMutex;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /**
     * The lock, when it is to be had; first come, first served among the callers of this thread.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`. A wait that ends so leaves no trace.
     */
    lock(options?: WaitOptions): Promise<Guard>;
    /**
     * Blocks the thread until it has the lock.
     * @throws `ERR_SHM_DEADLOCK` where this thread has it already, `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`.
     */
    lockSync(options?: SyncWaitOptions): Guard;
    /**
     * The lock if nobody has it, this thread included; else undefined.
     * @throws `ERR_SHM_CLOSED`.
     */
    tryLock(): Guard | undefined;
    /** Makes this process an owner. */
    adopt(): void;
    /** Lets go of the lock if it was taken through this handle, as if its holder had died. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached goes on with it. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/**
 * Something that has happened or not, for any number of processes and threads to wait for: Python's
 * `multiprocessing.Event`, by its name.
 *
 * ```js
 * using ready = SharedEvent.createOrAttach('ready');
 * await ready.wait({ timeout: 1000 }); // another process: ready.set()
 * ```
 */
declare class SharedEvent implements SharedObject {
    #private;
    readonly name: string;
    private constructor();
    /**
     * Opens the event of this name, or makes one that is not set; all who call this own it.
     * @throws `ERR_SHM_NOT_A_LOCK` (the name belongs to something else), `ERR_SHM_NAME`, `ERR_SHM_FOREIGN`, `EACCES`,
     * `ENOSPC`.
     */
    static createOrAttach(name: string, options?: LockOptions): SharedEvent;
    /**
     * Opens an existing event, by its name or its descriptor.
     * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `EACCES`.
     */
    static attach(target: string | Descriptor, options?: LockAttachOptions): SharedEvent;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /** Whether it has been set, and not cleared since. */
    get isSet(): boolean;
    /** Sets it: whoever waits goes on, and whoever comes does not wait. */
    set(): void;
    /** Clears it. Whoever waited when it was set still goes on. */
    clear(): void;
    /**
     * Until it is set.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`.
     */
    wait(options?: WaitOptions): Promise<void>;
    /**
     * Blocks the thread until it is set.
     * @throws `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`.
     */
    waitSync(options?: SyncWaitOptions): void;
    /** Makes this process an owner. */
    adopt(): void;
    /** Lets go of it in this handle; who waits through it does not any more. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached goes on with it. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** What a list can hold. Python's `int`, `float`, `bool`, `str`, `bytes` and `None`. */
type ListItem = number | bigint | boolean | string | Uint8Array | null;
/** A number that is stored as Python's `float`, whatever its value. Made by `float()`. */
interface Float {
    readonly value: number;
}
/** Stores `2` as `2.0`: Python reads a `float`, and the slot stays one. */
declare function float(value: number): Float;
/** What to do with text and bytes that end in NUL, which Python's list cannot tell from padding. */
type TrailingNul = 'refuse' | 'strip';

/** A synchronous body's result. */
type Plain<T> = T extends PromiseLike<unknown> ? never : T;
/** How to wait for a txn, and what it is for. */
type TxnOptions = WaitOptions & {
    /** Beside others who only read. Default false. */
    readOnly?: boolean;
};
/** The same for a txn that blocks the thread. */
type TxnSyncOptions = SyncWaitOptions & {
    /** Beside others who only read. Default false. */
    readOnly?: boolean;
};
/** Exclusive (or, with `readOnly`, shared) access to a segment's bytes, until it is disposed. */
interface Txn extends Disposable {
    readonly readOnly: boolean;
    /** A holder died, or threw, inside its txn, and none has ended well since: check the data. */
    readonly ownerDied: boolean;
    /** The bytes in place, for `bytes[i] = x`. With `readOnly` a view whose writes reach nobody. */
    readonly bytes: Buffer;
    /** The byte at `index`; a negative one counts from the end. */
    get(index: number): number;
    /** Sets the byte at `index`, to 0 to 255. */
    set(index: number, byte: number): void;
    /** A copy of the bytes from `start` to before `end`, as `Array.prototype.slice` counts. */
    slice(start?: number, end?: number): Buffer;
    /** Copies all of `bytes` to `offset`. */
    write(bytes: Uint8Array, offset?: number): void;
}

/** How to create a segment. */
interface CreateOptions {
    /** Default: a fresh random name. At most 255 bytes on Linux, without `/`. */
    name?: string;
    /** Permission bits, set exactly: the umask has no say. Default `0o600`. */
    mode?: number;
    /** Claim the memory now: a full `/dev/shm` is `ENOSPC` here and never SIGBUS later. Default true. */
    reserve?: boolean;
    /** Fault every page in now, so that no later access pays for it. Default false. */
    populate?: boolean;
    /** Unlinked when its last owner dies, however that comes: the creator, and whoever calls `adopt()`. Default true. */
    track?: boolean;
}
/** How to attach to a segment. */
interface AttachOptions {
    /** Writes stay private to this handle; a page written to stops following the others. Default false. */
    readOnly?: boolean;
    /** Allow a segment of another user. Default false. */
    foreign?: boolean;
    /** Put memory behind holes that the creator left (CPython reserves nothing). Default true. */
    reserve?: boolean;
}
/**
 * A named segment of raw bytes, from byte 0 on: what Python's `multiprocessing.shared_memory.SharedMemory`
 * of the same name shows.
 *
 * ```js
 * using shm = SharedMemory.create(4096, { name: 'frames' });
 * shm.buf[0] = 42; // another process: SharedMemory.attach('frames').buf[0]
 * ```
 */
declare class SharedMemory implements SharedObject {
    #private;
    readonly name: string;
    /** Bytes that its creator asked for. */
    readonly size: number;
    /** Whether this handle made it. */
    readonly created: boolean;
    readonly readOnly: boolean;
    private constructor();
    /**
     * Makes a segment of `size` zero bytes. It appears under its name whole, or not at all.
     * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
     */
    static create(size: number, options?: CreateOptions): SharedMemory;
    /**
     * As `create`, with the memory reserved off the event loop's thread: worth it from a few MB on.
     * @throws As `create`, and the signal's reason when that aborts; the segment is not there then.
     */
    static createAsync(size: number, options?: CreateOptions & {
        signal?: AbortSignal;
    }): Promise<SharedMemory>;
    /**
     * Opens an existing segment, by its name or by the descriptor that another handle's `toJSON()` gave.
     * @throws `ENOENT`, `EACCES`, `ENOSPC` (its holes cannot be reserved), `ERR_SHM_FOREIGN` (another user's),
     * `ERR_SHM_EMPTY` (its creator never sized it), `ERR_SHM_UNLINKED` (the descriptor's segment is gone and
     * its name belongs to another), `ERR_SHM_NOT_A_SEGMENT` (a folder, a fifo), `ELOOP` (a symbolic link),
     * `ERR_SHM_NAME`.
     */
    static attach(target: string | Descriptor, options?: AttachOptions): SharedMemory;
    /**
     * Opens the segment of this name, or makes it: whoever comes first creates, the others attach, and all of them own
     * it. (One that nobody owns, made by Python or with `track: false`, they attach to.) `size` is the least it must
     * have.
     * @throws `ERR_SHM_SIZE` where the existing one is smaller; else as `create` and `attach`.
     */
    static createOrAttach(name: string, size: number, options?: CreateOptions): SharedMemory;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /**
     * The bytes, in place: what others write shows here at once. A buffer that you kept has length 0 after
     * `close()`; asking for it again throws.
     * @throws `ERR_SHM_CLOSED`; `ERR_SHM_BUFFER_TOO_LARGE` beyond what this Node has buffers for (4 GiB in
     * Node 20); `ERR_SHM_NO_EXTERNAL_BUFFERS` (Electron). `read()` and `write()` work then, too.
     */
    get buf(): Buffer;
    /** The `ArrayBuffer` below `buf`, for typed arrays. Throws as `buf` does. */
    get buffer(): ArrayBuffer;
    /**
     * The same bytes as a `SharedArrayBuffer`, to be posted to worker threads without a copy. It has a mapping
     * of its own and a life of its own: `close()` leaves it alone, and the last thread to drop it frees it.
     * @throws `ERR_SHM_UNSUPPORTED` before Node 22.23.3, 24.16, 26.1: post `toJSON()` there.
     */
    sharedBuffer(): SharedArrayBuffer;
    /**
     * A private copy of `length` bytes from `offset` (default: all). Works in every runtime.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_CLOSED`.
     */
    read(offset?: number, length?: number): Buffer;
    /**
     * Copies all of `bytes` to `offset`. Works in every runtime.
     * @throws `ERR_OUT_OF_RANGE` where they do not fit, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`; nothing is
     * written then.
     */
    write(bytes: Uint8Array, offset?: number): void;
    /**
     * Exclusive access to the bytes, or with `readOnly` beside others who only read; safe among any number of processes
     * and threads, also when one dies in the middle: the next one is told (`ownerDied`). Dispose of what it resolves to,
     * or pass a body, whose end ends the txn; one that throws leaves `ownerDied` to the next.
     *
     * The lock is a file beside the segment, `NAME.lk`, made by the first txn and removed with the segment.
     *
     * ```js
     * await shm.txn((txn) => txn.bytes[0]++);
     * ```
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`, `ERR_SHM_READ_ONLY`, `ERR_SHM_UNLINKED` (the first
     * txn of a handle whose segment has no name any more), `ERR_SHM_FOREIGN` (another user's, who has made no txn yet),
     * `EACCES`, `ENOSPC`.
     */
    txn(options?: TxnOptions): Promise<Txn>;
    txn<T>(body: (txn: Txn) => T | Promise<T>, options?: TxnOptions): Promise<T>;
    /**
     * As `txn`, and blocks the thread. A body must not be asynchronous.
     * @throws As `txn`; `ERR_SHM_DEADLOCK` where this thread is in a txn of the segment already.
     */
    txnSync(options?: TxnSyncOptions): Txn;
    txnSync<T>(body: (txn: Txn) => Plain<T>, options?: TxnSyncOptions): T;
    /**
     * Makes this process an owner, as its creator is: the segment is unlinked when the last of them is dead.
     * Attaching alone never does. Idempotent.
     * @throws `ERR_SHM_UNLINKED` where it has no name any more, `EPERM` (another user's), `ERR_SHM_CLOSED`.
     */
    adopt(): void;
    /**
     * Detaches `buf` and every view of it, and gives the memory back. A txn that goes on through this handle ends, as if
     * it had thrown. Idempotent.
     */
    close(): void;
    /**
     * Removes the name. Whoever is attached keeps the memory until it closes. Works after `close()`.
     * @throws `ENOENT` where the segment was unlinked already, also when its name belongs to a new one.
     */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How to create a list. */
interface ListCreateOptions extends CreateOptions {
    /**
     * Python's list drops NULs at the end of text and bytes. `'refuse'` (default) throws for such a value,
     * `'strip'` stores it without them.
     */
    trailingNul?: TrailingNul;
}
/** How to attach to a list. */
interface ListAttachOptions extends AttachOptions {
    /** As in `create`, for `set`. */
    trailingNul?: TrailingNul;
}
/**
 * A list of fixed length in shared memory, byte for byte Python's `ShareableList`: each item can be read
 * and replaced in place, as long as text and bytes fit into the slot that they were created with.
 *
 * ```js
 * using list = ShareableList.create(['howdy', 273.15, 42, null, true], { name: 'board' });
 * list.set(2, 43); // Python: ShareableList(name='board')[2]
 * ```
 *
 * Integers read as `number` where that is exact, else as `bigint`. There is no lock: a process that reads
 * an item while another changes its type may see the old one.
 */
declare class ShareableList implements SharedObject, Iterable<ListItem> {
    #private;
    /** The segment that the list lies in. */
    readonly shm: SharedMemory;
    readonly length: number;
    private constructor();
    /**
     * Makes a list of these items; text and bytes can be replaced later by what fits into their slot, of
     * `8 * (UTF-8 bytes // 8 + 1)` bytes.
     * @throws `ERR_SHM_VALUE` for a value that could not be read back the same (integers beyond 64 bits, lone
     * surrogates, trailing NULs), `ERR_INVALID_ARG_TYPE` for another type, and what `SharedMemory.create` throws.
     */
    static create(values: Iterable<ListItem | Float>, options?: ListCreateOptions): ShareableList;
    /**
     * Opens the list that this or another process made, Node or Python.
     * @throws `ERR_SHM_CORRUPT` where the segment holds no list, with what is wrong; else as
     * `SharedMemory.attach`.
     */
    static attach(target: string | Descriptor, options?: ListAttachOptions): ShareableList;
    get name(): string;
    get closed(): boolean;
    /**
     * The struct formats of all items, joined, as Python's `ShareableList.format`.
     * @throws `ERR_SHM_CLOSED`
     */
    get format(): string;
    /**
     * The item at `index`; negative ones count from the end.
     * @throws `ERR_OUT_OF_RANGE`; `ERR_SHM_CLOSED`; `ERR_SHM_ENCODING` for text that its writer cut;
     * `ERR_SHM_CORRUPT` where another process damaged the item's format.
     */
    get(index: number): ListItem;
    /**
     * Replaces the item at `index`; negative ones count from the end. A number keeps a float slot a float.
     * @throws `ERR_OUT_OF_RANGE` for an index outside; `ERR_SHM_VALUE` for a value that does not fit into the
     * slot or could not be read back the same; `ERR_INVALID_ARG_TYPE`; `ERR_SHM_READ_ONLY`; `ERR_SHM_CLOSED`.
     * The list is unchanged then.
     */
    set(index: number, value: ListItem | Float): void;
    /** The first index of an item that equals `value`, or -1. Numbers are equal when they are mathematically. */
    indexOf(value: ListItem): number;
    /** Whether an item equals `value`; unlike `indexOf` it finds NaN. */
    includes(value: ListItem): boolean;
    /** How many items equal `value`. */
    count(value: ListItem): number;
    /** A copy of all items. */
    toArray(): ListItem[];
    [Symbol.iterator](): IterableIterator<ListItem>;
    /** Makes this process an owner, see `SharedMemory.adopt`. */
    adopt(): void;
    /** Lets go of the memory in this handle. Idempotent. */
    close(): void;
    /** Removes the name. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** Any shared object. */
type Shared = SharedMemory | ShareableList | SharedMutex | SharedEvent;
/**
 * The shared object that a descriptor names: what `toJSON()` gave in another process or thread.
 * @throws `ERR_SHM_KIND` for a kind that this version does not know; else as the kind's own `attach`.
 */
declare function attach(descriptor: Descriptor, options?: AttachOptions): Shared;

/** What every error of this package carries. */
interface ShmError extends Error {
    /** `ENOENT`, `EEXIST`, `ENOSPC`, … as `node:fs` has them, or one of this package's `ERR_SHM_*`. */
    code: string;
    /** The system's error number, negative as in `node:fs`, where a system call failed. */
    errno?: number;
    /** The system call that failed. */
    syscall?: string;
    /** The segment's name. */
    segment?: string;
}

/** A segment, as every process of its user can see it. */
interface SegmentInfo {
    name: string;
    /** Bytes. */
    size: number;
    /** What its bytes look like. */
    kind: 'memory' | 'list' | 'dict' | 'array' | 'queue' | 'broadcast' | 'lock';
    /** Ids of the live processes that own it; 0 stands for one in another PID namespace. */
    owners: number[];
    /** Ids of the processes that have it open or mapped, as far as this user can see; Python's too. */
    attached: number[];
    /** Its owners are all dead. Or Python drew its name, and nobody has it open. */
    leaked: boolean;
    /** The id of the user that it belongs to. */
    uid: number;
    /** Permission bits. */
    mode: number;
    created: Date;
}
/** What `collectGarbage` removes. */
interface CollectOptions {
    /** Say what would be removed, and remove nothing. Default false. */
    dryRun?: boolean;
    /** Also what Python's processes seem to have left: segments of their naming that nobody has open. Default false. */
    python?: boolean;
}
/** Every segment of the system, whoever made it, by name. */
declare function segments(): SegmentInfo[];
/** A lock or an event, as it can be seen without taking part in it. Processes are those of its participants' own. */
interface LockState {
    /** A `SharedMutex`, a `SharedEvent`, or the lock beside a segment (`NAME.lk`). */
    what: 'mutex' | 'event' | 'sidecar';
    /** Of an event. */
    set: boolean;
    /** The process that has the lock, alone; 0 where nobody knows which. */
    holder: number | null;
    /** That one is dead: the next who wants the lock gets it. */
    holderDied: boolean;
    /** The processes that read. */
    readers: number[];
    /** Somebody waits, or did until a moment ago. */
    awaited: boolean;
    /** The last one who wrote died or failed, and the next is to be told. */
    inconsistent: boolean;
    /** The processes that have it open, once for each thread that does. */
    participants: number[];
}
/**
 * How a lock or an event stands at this moment, without taking part in it.
 * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`, `EACCES`.
 */
declare function lockState(name: string): LockState;
/**
 * Unlinks what dead owners left, and returns the names. The resource tracker does so within 100 ms of a death; this
 * is for where there is none.
 * @throws `ERR_SHM_BUSY` where another process has been at it for seconds; `ERR_SHM_UNSAFE_LEDGERS` where others
 * can write to the directory that says who owns what.
 */
declare function collectGarbage(options?: CollectOptions): string[];
/**
 * Removes the name of a segment that no handle is open for, whoever made it. Whoever is attached stays attached.
 * @throws `ENOENT`, `EPERM` or `EACCES` (another user's), `ERR_SHM_NOT_A_SEGMENT`, `ERR_SHM_NAME`.
 */
declare function unlink(name: string): void;
/**
 * Tells the resource tracker of a Python parent what this process creates, adopts and unlinks from now on, so that
 * it neither removes a segment that was handed over nor complains about one that is gone.
 *
 * `descriptor` is the number of the pipe that the parent lets this process inherit
 * (`multiprocessing.resource_tracker.getfd()`); it is copied. `format` is how CPython writes: `colon` is understood
 * by all versions, for ASCII names without a colon; `json` by 3.13.10, 3.14.1 and later, for any name.
 * @throws `EBADF`, `ERR_INVALID_ARG_VALUE` where it is no pipe that can be written to.
 */
declare function joinPythonTracker(descriptor: number, options?: {
    format?: 'colon' | 'json';
}): void;

export { Guard, ShareableList, SharedEvent, SharedMemory, SharedMutex, attach, collectGarbage, float, joinPythonTracker, lockState, segments, unlink };
export type { AttachOptions, CollectOptions, CreateOptions, Descriptor, Float, ListAttachOptions, ListCreateOptions, ListItem, LockAttachOptions, LockOptions, LockState, Plain, SegmentInfo, Shared, SharedObject, ShmError, SyncWaitOptions, Txn, TxnOptions, TxnSyncOptions, WaitOptions };
