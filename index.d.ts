// Made by `npm run build` from index.ts and src/: the whole public surface on one page.
import { Buffer } from 'node:buffer';

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
     * As `create`, with the memory reserved off the event loop's thread, which pays from a few MB on. It never waits for
     * another process: its twin is `create`, which takes as long and holds the event loop meanwhile.
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
 * Segments that are used again: the first touch of fresh memory costs many times what the work on it does.
 *
 * ```js
 * using pool = new SegmentPool();
 * const frame = pool.acquire(6_000_000); // at least so long, and with whatever was in it before
 * send(frame.toJSON());
 * // … and when nobody uses it any more
 * pool.release(frame);
 * ```
 */
declare class SegmentPool implements Disposable {
    #private;
    constructor(options?: SegmentPoolOptions);
    /** Bytes of the segments that nobody has at the moment. */
    get idleBytes(): number;
    /**
     * A segment of `size` bytes at least, which this process owns: one that was released, with whatever is in it, or a fresh one.
     * @throws As `SharedMemory.create`; `ERR_SHM_CLOSED` once the pool is closed.
     */
    acquire(size: number): SharedMemory;
    /**
     * Takes a segment back. Whoever still has it open shares it with whoever acquires it next.
     * @throws `ERR_SHM_NOT_LENT` for one that was not acquired here, or was released already.
     */
    release(segment: SharedMemory): void;
    /** Unlinks the idle segments; the others are unlinked when they are released. Idempotent. */
    close(): void;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How much a pool keeps. */
interface SegmentPoolOptions {
    /** Bytes of segments that nobody has at the moment; beyond that the one that was longest unused goes. Default 256 MB. */
    maxBytes?: number;
}

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

/**
 * The shared object that a descriptor names: what `toJSON()` gave in another process or thread.
 * @throws `ERR_SHM_KIND` for a kind that this version does not know; else as the kind's own `attach`.
 */
declare function attach(descriptor: Descriptor, options?: AttachOptions): Shared;

/** Any shared object. */
type Shared = SharedMemory | ShareableList | SharedArray | SharedDict | SharedQueue | SharedBroadcast | SharedMutex | SharedEvent;

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

/** What to do with text and bytes that end in NUL, which Python's list cannot tell from padding. */
type TrailingNul = 'refuse' | 'strip';

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

/** What a list can hold. Python's `int`, `float`, `bool`, `str`, `bytes` and `None`. */
type ListItem = number | bigint | boolean | string | Uint8Array | null;

/** Stores `2` as `2.0`: Python reads a `float`, and the slot stays one. */
declare function float(value: number): Float;

/** A number that is stored as Python's `float`, whatever its value. Made by `float()`. */
interface Float {
    readonly value: number;
}

/**
 * An n-dimensional array of numbers in shared memory, as numpy has it: any process reads and writes its elements in place.
 *
 * ```js
 * using grid = SharedArray.create([480, 640], { name: 'grid', dtype: 'float32' });
 * grid.set(1.5, 0, -1); // Python: np.load('/dev/shm/grid', mmap_mode='r+')[0, -1]
 * grid.slice([0, 10]).sum();
 * ```
 *
 * `slice`, `reshape` and `T` are views of the same memory. There is no lock: `array.shm.txn()` is one.
 */
declare class SharedArray<D extends DType = DType> implements SharedObject {
    #private;
    /** The segment that the array lies in. */
    readonly shm: SharedMemory;
    readonly dtype: D;
    /** The length of each dimension. */
    readonly shape: readonly number[];
    readonly ndim: number;
    /** How many elements. */
    readonly size: number;
    /** How many elements of `data` lie between an index and the next, for each dimension. */
    readonly strides: readonly number[];
    /** Where in `data` the element at all indexes 0 is. */
    readonly offset: number;
    /** `'C'` or `'F'` where the elements lie one after the other in that order; both are `'C'`. */
    readonly order: Order | null;
    private constructor();
    /**
     * Makes an array of zeros. It appears under its name whole, with its header, or not at all.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for a shape or type that there is not; else as
     * `SharedMemory.create`.
     */
    static create<D extends DType = 'float64'>(shape: number | readonly number[], options?: ArrayCreateOptions<D>): SharedArray<D>;
    /**
     * Opens the array of this name, or makes one of zeros: whoever comes first creates, the others attach, and all of them own
     * it. (One that nobody owns, made by Python or with `track: false`, they attach to.)
     * @throws `ERR_SHM_MISMATCH` where the existing one has another shape or type, `ERR_SHM_NOT_AN_ARRAY` where it is none;
     * else as `create` and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, shape: number | readonly number[], options?: ArrayCreateOptions<D>): SharedArray<D>;
    /**
     * Makes an array of these elements, which are in C order: a typed array's, or those of any iterable. Without `dtype` a
     * typed array keeps its type (but for `Float16Array`), and other numbers become `float64`.
     * @throws `ERR_OUT_OF_RANGE` where they are not as many as the shape has, or where the type has no such number;
     * `ERR_SHM_VALUE` for a fraction among integers; else as `create`.
     */
    static from<T extends Typed>(values: T, options?: Omit<ArrayFromOptions, 'dtype'> & {
        dtype?: undefined;
    }): SharedArray<DTypeOf<T>>;
    static from<D extends DType = 'float64'>(values: DTypes[D] | Iterable<ElementOf<D>>, options?: ArrayFromOptions<D>): SharedArray<D>;
    /**
     * Opens the array that this or another process made: by the header that it begins with, by a descriptor, or else by
     * `shape` and `dtype`. A view's descriptor gives the very same view.
     * @throws `ERR_SHM_NOT_AN_ARRAY` where there is no header and no shape is given, `ERR_SHM_CORRUPT` (a damaged header),
     * `ERR_SHM_DTYPE` (a type that is none of these, or in the other byte order), `ERR_SHM_SIZE` (too short for its shape),
     * `ERR_SHM_ALIGNMENT`, `ERR_SHM_MISMATCH` (it is not what the options say); else as `SharedMemory.attach`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: ArrayAttachOptions<D>): SharedArray<D>;
    /**
     * Makes an array of what a `.npy` file holds, read off the event loop's thread. `dtype` is what it must be.
     * @throws As `node:fs` where the file cannot be read; `ERR_SHM_FILE` (no such file, a damaged or a short one),
     * `ERR_SHM_DTYPE`; else as `create`.
     */
    static load<D extends DType = DType>(path: string | URL, options?: ArrayOptions<D>): Promise<SharedArray<D>>;
    get name(): string;
    /** Whether `close()` was called here, or on the array that this is a view of. */
    get closed(): boolean;
    /**
     * All elements of the segment from its first one on, in place: element `(i, j)` is
     * `data[offset + i * strides[0] + j * strides[1]]`. A view, as a part in `mapArray` is one, has the same as the array that
     * it is a view of; `elements` has its own.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`
     */
    get data(): DTypes[D];
    /**
     * The elements of this array, or of this part of one, in place: `size` of them, in its `order`.
     * @throws `ERR_OUT_OF_RANGE` where they do not lie one after the other, as `order` null says; else as `data`.
     */
    get elements(): DTypes[D];
    /**
     * The element at these indexes, one for each dimension; negative ones count from the end.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    get(...index: number[]): ElementOf<D>;
    /**
     * Replaces the element at these indexes. Floats are rounded to what the type has.
     * @throws `ERR_OUT_OF_RANGE` for an index outside and for a number that the type does not have, `ERR_SHM_VALUE` for a
     * fraction among integers, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`; nothing
     * is changed then.
     */
    set(value: ElementOf<D>, ...index: number[]): void;
    /**
     * A view of a part, with a range for each of the first dimensions: a number picks one index and drops the dimension;
     * `[start, end, step]` is Python's `start:end:step`, each part of which may be left out (`undefined`, `null`); null is
     * all of it. It shares the memory: closing it leaves this open, and closing this detaches it.
     * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    slice(...ranges: SliceRange[]): SharedArray<D>;
    /**
     * A view of the same elements, in C order, in another shape; one length may be -1, which is what is left.
     * @throws `ERR_OUT_OF_RANGE` where it has not as many elements, and where these do not lie one after the other in C
     * order; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    reshape(shape: number | readonly number[]): SharedArray<D>;
    /** A view with the dimensions in reverse order. */
    get T(): SharedArray<D>;
    /**
     * Makes all elements `value`.
     * @throws As `set`.
     */
    fill(value: ElementOf<D>): this;
    /**
     * Makes the elements those of another array of the same type and shape, or of a typed array, which has them in C
     * order. The two may overlap.
     * @throws `ERR_OUT_OF_RANGE` for another shape or count, `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE` for another
     * type, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    copyFrom(source: SharedArray<D> | DTypes[D]): this;
    /**
     * All elements added up; 0 where there are none. Of 64-bit integers exact, also beyond 64 bits; of other integers
     * exact up to 2^53; of floats in double precision.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`
     */
    sum(): ElementOf<D>;
    /** The sum by the number of elements; NaN where there are none. Throws as `sum`. */
    mean(): number;
    /**
     * The least element; NaN where there is one.
     * @throws `ERR_OUT_OF_RANGE` where there are no elements; else as `sum`.
     */
    min(): ElementOf<D>;
    /** The greatest element; NaN where there is one. Throws as `min`. */
    max(): ElementOf<D>;
    /** Where the first least element is, or the first NaN: how many come before it in C order. Throws as `min`. */
    argmin(): number;
    /** Where the first greatest element is, or the first NaN; as `argmin`. */
    argmax(): number;
    /**
     * The sum of the products of the elements of two arrays of one dimension, exact as `sum` is.
     * @throws `ERR_OUT_OF_RANGE` for other shapes, and for 64-bit integers whose result takes more than 128 bits;
     * `ERR_INVALID_ARG_VALUE` for another type; else as `sum`.
     */
    dot(other: SharedArray<D>): ElementOf<D>;
    /**
     * Multiplies all elements in place. Integers wrap around.
     * @throws As `set`.
     */
    scale(factor: ElementOf<D>): this;
    /**
     * Adds a number to all elements, or the elements of another array of the same type and shape to these, in place.
     * Integers wrap around.
     * @throws As `set`, and as `copyFrom`.
     */
    add(other: ElementOf<D> | SharedArray<D>): this;
    /** A private copy of the elements, in C order. Throws as `sum`. */
    toTypedArray(): DTypes[D];
    /** A private copy of the elements, in as many lists as there are dimensions; `[]` of none. Throws as `sum`. */
    toArray(): Nested<D>;
    /**
     * Writes a `.npy` file, as `np.save` does: in F order where the elements lie so, else in C order. What others write
     * meanwhile may be in it or not.
     * @throws As `node:fs`; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
     */
    save(path: string | URL): Promise<void>;
    /** Makes this process an owner, see `SharedMemory.adopt`. */
    adopt(): void;
    /** Lets go of the memory in this handle; of a view, only of the view. Idempotent. */
    close(): void;
    /** Removes the name. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How to create an array. */
interface ArrayOptions<D extends DType = DType> extends CreateOptions {
    /** The elements' type. Default `'float64'`. */
    dtype?: D;
    /**
     * `'npy'` (default): the segment begins with numpy's header, which says type, shape and order; `np.load` opens it in
     * place. `'none'`: it is nothing but elements, as what `np.ndarray(shape, dtype, buffer)` takes. With a header, or with
     * elements, the memory is always reserved.
     */
    header?: 'npy' | 'none';
}

/** How to create an array of zeros. */
interface ArrayCreateOptions<D extends DType = DType> extends ArrayOptions<D> {
    /** Which index goes from element to element: the last one (`'C'`, default) or the first. */
    order?: Order;
}

/** How to create an array of given elements. */
interface ArrayFromOptions<D extends DType = DType> extends ArrayOptions<D> {
    /** Default: one dimension. The elements are in C order. */
    shape?: number | readonly number[];
}

/** How to attach to an array. What header or descriptor say already must agree with it. */
interface ArrayAttachOptions<D extends DType = DType> extends AttachOptions {
    shape?: number | readonly number[];
    dtype?: D;
    /** Default `'C'`. */
    order?: Order;
    /** Bytes before the first element, as in `np.ndarray`; for segments without a header. Default 0. */
    offset?: number;
    /** Default: `'npy'` where the segment begins with such a header, else `'none'`. */
    header?: 'npy' | 'none';
}

/** numpy's names of types. Its strings (`'<f8'`) are understood, too, where JavaScript passes them. */
type DType = keyof DTypes;

/** The typed array of each type. */
interface DTypes {
    int8: Int8Array;
    uint8: Uint8Array;
    int16: Int16Array;
    uint16: Uint16Array;
    int32: Int32Array;
    uint32: Uint32Array;
    int64: BigInt64Array;
    uint64: BigUint64Array;
    float32: Float32Array;
    float64: Float64Array;
    /** A `Float16Array` where the runtime has one; else the numbers' bits. */
    float16: Uint16Array;
    /** A byte each: 0 is false, all else is true. */
    bool: Uint8Array;
}

/** What an element reads as: 64-bit integers as `bigint`, booleans as 0 and 1. */
type ElementOf<D extends DType> = D extends 'int64' | 'uint64' ? bigint : number;

/** A typed array that says by its class what its elements are. */
type Typed = DTypes[Exclude<DType, 'float16' | 'bool'>];

/** The type of a typed array's elements. */
type DTypeOf<T extends Typed> = T extends Int8Array ? 'int8' : T extends Int16Array ? 'int16' : T extends Uint16Array ? 'uint16' : T extends Int32Array ? 'int32' : T extends Uint32Array ? 'uint32' : T extends BigInt64Array ? 'int64' : T extends BigUint64Array ? 'uint64' : T extends Float32Array ? 'float32' : T extends Float64Array ? 'float64' : 'uint8';

/** Elements in as many lists as there are dimensions. */
type Nested<D extends DType> = ElementOf<D> | Nested<D>[];

type Order = 'C' | 'F';

/** An index, which drops the dimension; `[start, end, step]` as Python has it; or null for all of it. */
type SliceRange = number | readonly [
    start?: number | null | undefined,
    end?: number | null | undefined,
    step?: number | null | undefined
] | null;

/**
 * The `.npy` header that a segment begins with, whatever the type of its elements is. `SharedArray.attach` needs no such
 * call.
 * @throws `ERR_SHM_NOT_AN_ARRAY` if it does not begin with one, `ERR_SHM_CORRUPT` if that is damaged, `ERR_SHM_CLOSED`,
 * `ERR_INVALID_ARG_TYPE`.
 */
declare function npyHeader(memory: SharedMemory): NpyHeader;

/** What a `.npy` header says. */
interface NpyHeader {
    /** The type of the elements; it may be one that a `SharedArray` does not have. */
    descr: NpyType;
    /** The length of each dimension. */
    shape: number[];
    /** Which index goes from element to element: the last one (`'C'`) or the first (`'F'`). */
    order: 'C' | 'F';
    /** Bytes before the first element. */
    byteOffset: number;
}

/** A type in a `.npy` header: text such as `'<f8'`; of a record a list of its fields, as numpy's `dtype.descr` has them. */
type NpyType = string | number | boolean | null | NpyType[] | {
    [key: string]: NpyType;
};

/**
 * A `Map` that lives in shared memory: any number of processes and threads read it without a lock, and one at a time
 * writes. Whoever is killed while he writes leaves the old value or the new one.
 *
 * ```js
 * using dict = SharedDict.createOrAttach('board');
 * dict.set('progress', { done: 3, of: 10 });
 * dict.increment('visits');
 * dict.txnSync((txn) => txn.set('a', txn.get('b') ?? 0)); // all of it or nothing
 * ```
 */
declare class SharedDict<V = unknown> implements SharedObject, Iterable<[string, V]> {
    #private;
    readonly name: string;
    private constructor();
    /**
     * Makes an empty dict.
     * @throws `EEXIST`, `ENOSPC`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
     */
    static create<V>(options?: DictOptions): SharedDict<V>;
    /**
     * Opens the dict of this name, or makes it: whoever comes first creates, and all who call this own it.
     * @throws `ERR_SHM_NOT_A_DICT` (the name belongs to something else), `ERR_SHM_VERSION`; else as `create` and `attach`.
     */
    static createOrAttach<V>(name: string, options?: DictOptions): SharedDict<V>;
    /**
     * Opens an existing dict, by its name or its descriptor.
     * @throws `ENOENT`, `ERR_SHM_NOT_A_DICT`, `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`,
     * `EACCES`.
     */
    static attach<V>(target: string | Descriptor, options?: DictAttachOptions): SharedDict<V>;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /** How many entries there are. */
    get size(): number;
    /** Bytes that it has taken of `/dev/shm`. */
    get byteLength(): number;
    /** Bytes that it may take, as `maxByteLength` was said when it was made. */
    get maxByteLength(): number;
    /**
     * How full it is, and how often it was written to.
     * @throws `ERR_SHM_CLOSED`.
     */
    get fill(): DictFill;
    /**
     * A fresh copy of the value, as it is at this moment; undefined where there is none.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    get(key: string): V | undefined;
    /** Whether there is such a key. */
    has(key: string): boolean;
    /** The keys; those that come or go meanwhile may be among them. In a read-only txn they are those of one moment. */
    keys(): IterableIterator<string>;
    values(): IterableIterator<V>;
    entries(): IterableIterator<[string, V]>;
    [Symbol.iterator](): IterableIterator<[string, V]>;
    forEach(visit: (value: V, key: string) => void): void;
    /** All entries as they are at one moment. */
    toObject(): Record<string, V>;
    /**
     * Sets a value: null, a boolean, number, bigint, string, bytes, typed array, or what `structuredClone` takes of plain
     * objects, arrays, Map, Set, Date and Error.
     * @throws `ERR_SHM_VALUE`, `ERR_SHM_KEY`, `ERR_SHM_TIMEOUT` (others write for longer than `lockTimeout`), `ERR_SHM_FULL`,
     * `ENOSPC`, `ERR_SHM_DEADLOCK` (inside of a txn: use that), `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`; nothing has changed
     * then.
     */
    set(key: string, value: V): this;
    /** Removes a key; whether it was there. */
    delete(key: string): boolean;
    /** Removes all keys at once. */
    clear(): void;
    /** The value that there is, or this one from now on. */
    getOrInsert(key: string, value: V): V;
    /**
     * The value that there is, or what `compute` makes of the key from now on: that runs in one process alone, and whoever
     * else writes waits for it.
     */
    getOrInsertComputed(key: string, compute: (key: string) => V): V;
    /** Sets what `change` makes of the value, while nobody else writes; returns that. Where it throws nothing changes. */
    update(key: string, change: (old: V | undefined) => V): V;
    /** Adds to a number, from 0 where there is none, while nobody else writes; returns the sum. */
    increment(key: string, by?: number): number;
    /**
     * Sets the value if it is as `expected`, undefined for none; whether it did. Objects are equal as
     * `util.isDeepStrictEqual` has it, other values when they are stored as the same bytes.
     */
    compareAndSet(key: string, expected: V | undefined, value: V): boolean;
    /** Sets all of these at once. */
    assign(entries: Record<string, V> | Iterable<[string, V]>): this;
    /**
     * Reads and writes several keys as one: others see all of its changes or none, and so does whoever comes after a death.
     * A body that throws changes nothing. With `readOnly` it runs beside those who write, more than once if they get in
     * between, and sees the dict of one moment.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_INVALID_RETURN_VALUE` (a body must not be asynchronous); else as
     * `set`.
     */
    txn<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnOptions): Promise<T>;
    /** As `txn`, and blocks the thread; `ERR_SHM_DEADLOCK` inside of another txn of this thread. */
    txnSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T;
    /** Makes this process an owner. */
    adopt(): void;
    /** Lets go of it in this handle. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached stays attached; only who has written before can go on to write. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How to make a dict. */
interface DictOptions extends Omit<CreateOptions, 'reserve' | 'populate'> {
    /** Bytes at first; it grows. Default 64 KB. */
    byteLength?: number;
    /** Bytes that it may grow to. Nothing is reserved that is not used. Default: a quarter of what `/dev/shm` has left. */
    maxByteLength?: number;
    /** Milliseconds that `set()` and whatever else writes outside of a txn waits for others who write. Default 10,000. */
    lockTimeout?: number;
    /** How many keys this handle remembers, with their values where those are short: 0 to 2 ** 20. Default 10,000. */
    cacheSize?: number;
}

/** How to attach to a dict. */
interface DictAttachOptions {
    readOnly?: boolean;
    /** Allow a dict of another user. Default false. */
    foreign?: boolean;
    /** As in `create`. */
    lockTimeout?: number;
    /** As in `create`. */
    cacheSize?: number;
}

/** How full a dict is. */
interface DictFill {
    /** Bytes that its entries and their table have. */
    used: number;
    /** How many commits there were. */
    generation: number;
}

/** What of a dict's values can be looked at in place. */
type ViewOf<V> = unknown extends V ? NodeJS.TypedArray : Extract<V, NodeJS.TypedArray>;

/** A dict's entries inside of a txn. A read-only body may run more than once. */
interface DictTxn<V> {
    /** How many entries there are. */
    readonly size: number;
    get(key: string): V | undefined;
    /**
     * Bytes or a typed array in place, for large ones: valid until the body ends, of length 0 from then on. What is written to
     * it reaches nobody. With the lock, also where the txn only reads; a copy where the handle is read-only or this txn has
     * set the value.
     * @throws `ERR_SHM_VALUE` where the value is none of these.
     */
    view(key: string): ViewOf<V> | undefined;
    has(key: string): boolean;
    set(key: string, value: V): void;
    /** Whether it was there. */
    delete(key: string): boolean;
    clear(): void;
    /** Sets what `change` makes of the value, and returns that. */
    update(key: string, change: (old: V | undefined) => V): V;
    /** Adds to a number, from 0 where there is none, and returns the sum. */
    increment(key: string, by?: number): number;
    keys(): IterableIterator<string>;
    values(): IterableIterator<V>;
    entries(): IterableIterator<[string, V]>;
}

/**
 * A bounded queue of items of one size between processes and threads: written and read in place, with back-pressure, and
 * going on after every death.
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
declare class SharedQueue<D extends DType = DType> implements SharedObject, AsyncIterable<DTypes[D]> {
    #private;
    readonly name: string;
    /** Number of slots, each of which holds one item. */
    readonly slots: number;
    /** Type of the elements. */
    readonly dtype: D;
    /** Dimensions of an item. */
    readonly shape: readonly number[];
    /** Whether the queue is for one producer and one consumer. */
    readonly spsc: boolean;
    private constructor();
    /**
     * Makes an empty queue.
     * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
     */
    static create<D extends DType = 'float64'>(options: QueueOptions<D>): SharedQueue<D>;
    /**
     * Opens the queue of this name, or makes it: whoever comes first creates, the others attach, and all of them own it.
     * @throws `ERR_SHM_MISMATCH` where the existing one is not as the options say; else as `create` and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, options: QueueOptions<D>): SharedQueue<D>;
    /**
     * Opens an existing queue, by its name or its descriptor.
     * @throws `ENOENT`, `ERR_SHM_NOT_A_QUEUE`, `ERR_SHM_MISMATCH` (its items are not what the options say),
     * `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`, `ERR_SHM_TOO_MANY` (255 threads have it
     * open), `EACCES`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: QueueAttachOptions<D>): SharedQueue<D>;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /** Whether `end()` was called, by anybody. */
    get ended(): boolean;
    /** How many items there are, those included that are just being written. */
    get length(): number;
    /** How many claimed or taken slots were lost with a thread that died. */
    get lost(): number;
    /**
     * The slots that are claimed or taken at this moment: their number, and the holders of the first `limit` of them, the
     * oldest first. Default 100.
     * @throws `ERR_SHM_CLOSED`, `ERR_OUT_OF_RANGE`.
     */
    holders(limit?: number): {
        count: number;
        holders: SlotHolder[];
    };
    /**
     * Pushes a copy of the item; false where the queue is full.
     * @throws `ERR_SHM_ENDED`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_TOO_MANY` (of an spsc queue there is another producer),
     * `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    tryPush(item: DTypes[D]): boolean;
    /**
     * Pushes a copy of the item as it is now, when there is room.
     * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryPush`.
     */
    push(item: DTypes[D], options?: WaitOptions): Promise<void>;
    /**
     * Blocks the thread until the item is pushed.
     * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`; else as `tryPush`.
     */
    pushSync(item: DTypes[D], options?: SyncWaitOptions): void;
    /**
     * A fresh copy of the next item; undefined where there is none now.
     * @throws `ERR_SHM_TOO_MANY` (of an spsc queue there is another consumer), `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    tryPop(): DTypes[D] | undefined;
    /** Copies the next item into `out`; false where there is none now. Throws as `tryPop`. */
    tryPopInto(out: DTypes[D]): boolean;
    /**
     * The next item, when there is one; undefined once the queue has ended and everything was taken.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryPop`.
     */
    pop(options?: WaitOptions): Promise<DTypes[D] | undefined>;
    /** Blocks the thread for the same. */
    popSync(options?: SyncWaitOptions): DTypes[D] | undefined;
    /**
     * A slot to write the next item to, when there is room. Nobody sees an item, nor any that was claimed after it, until it is
     * committed.
     * @throws As `push`.
     */
    claim(options?: WaitOptions): Promise<ClaimedSlot<D>>;
    /** Blocks the thread for the same. */
    claimSync(options?: SyncWaitOptions): ClaimedSlot<D>;
    /** A slot to write the next item to; undefined where the queue is full. Throws as `tryPush`. */
    tryClaim(): ClaimedSlot<D> | undefined;
    /**
     * The slot of the next item, to be read in place until it is released; undefined once the queue has ended and everything
     * was taken.
     * @throws As `pop`.
     */
    take(options?: WaitOptions): Promise<TakenSlot<D> | undefined>;
    /** Blocks the thread for the same. */
    takeSync(options?: SyncWaitOptions): TakenSlot<D> | undefined;
    /** The slot of the next item; undefined where there is none now. Throws as `tryPop`. */
    tryTake(): TakenSlot<D> | undefined;
    /**
     * Items as they come, so many at a time as there are; ends when the queue has. A batch costs one turn of the event loop,
     * however many items there are in it.
     */
    batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined>;
    /** Items as they come, until the queue has ended and everything was taken. */
    [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined>;
    /** Nothing is pushed any more: producers are told, consumers take what there is, and then are. */
    end(): void;
    /** Makes this process an owner. */
    adopt(): void;
    /** Lets go of it in this handle, and of the slots that it has; who waits through it does not any more. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached goes on with it. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How to make a queue. */
interface QueueOptions<D extends DType> extends RingOptions<D> {
    /**
     * Whether the queue is for one producer and one consumer, which is faster. Otherwise any number of threads may push and
     * take. Default false.
     */
    spsc?: boolean;
}

/** How to attach to a queue. What you say of its items must agree with it. */
type QueueAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

/** How to make a ring of items of one size. */
interface RingOptions<D extends DType> extends Omit<CreateOptions, 'reserve'> {
    /** Number of slots, each of which holds one item. */
    slots: number;
    /** Dimensions of an item, whose product is its length. Default: one element. */
    shape?: readonly number[];
    /** Type of the elements, by numpy's name. Default `float64`. */
    dtype?: D;
    /**
     * Permission bits, set exactly: the umask has no effect. Every process that takes part needs read and write permission.
     * Default `0o600`.
     */
    mode?: number;
}

/** How to attach to a ring of items. What you say of the items must agree with it. */
interface RingAttachOptions<D extends DType = DType> {
    /** Type of the elements. */
    dtype?: D;
    /** Dimensions of an item. */
    shape?: number | readonly number[];
    /** Allow one of another user. Default false. */
    foreign?: boolean;
}

/** A slot of a queue that this thread holds. It is given back by `using`, at the latest. */
interface Slot<D extends DType = DType> extends Disposable {
    /**
     * The item, in place. Do not use it after the slot is given back: the memory may then belong to the next holder.
     * @throws `ERR_SHM_CLOSED` after the slot was given back or the queue was closed.
     */
    readonly data: DTypes[D];
}

/** A claimed slot, to write the next item to. Disposing of it abandons the item, unless it was committed. */
interface ClaimedSlot<D extends DType = DType> extends Slot<D> {
    /**
     * Publishes the item. Idempotent.
     * @throws `ERR_SHM_CLOSED` if the slot was abandoned before; `ERR_SHM_LOST` if another thread took it from this one.
     */
    commit(): void;
}

/** A taken slot, to read an item in place. Disposing of it releases it. */
interface TakenSlot<D extends DType = DType> extends Slot<D> {
    /**
     * Gives the slot back: its memory is free for the next item. Idempotent.
     * @throws `ERR_SHM_LOST` if another thread took it from this one.
     */
    release(): void;
}

/** A slot of a queue that is held, and its holder. */
interface SlotHolder {
    /** Index of the slot. */
    slot: number;
    state: 'claimed' | 'taken';
    /** The process id of the holder, in its own PID namespace; 0 if unknown. */
    pid: number;
    /** Whether the holder has died: the slot goes to the next thread that needs it. */
    died: boolean;
}

/** What `batches()` gives. */
interface BatchOptions {
    /** Items in a batch at most. Default 256. */
    max?: number;
    /** Ends the iteration with its reason. */
    signal?: AbortSignal;
}

/**
 * Items of one size from one writer to many readers, each at its own place, between processes and threads.
 *
 * ```js
 * using prices = SharedBroadcast.create({ name: 'prices', slots: 1000, shape: [4] });
 * await prices.publish(Float64Array.of(1, 2, 3, 4)); // waits for the slowest reader
 * // other processes
 * using subscription = SharedBroadcast.attach('prices').subscribe();
 * for await (const price of subscription) show(price);
 * ```
 */
declare class SharedBroadcast<D extends DType = DType> implements SharedObject {
    #private;
    readonly name: string;
    /** Number of slots, each of which holds one item. */
    readonly slots: number;
    /** Type of the elements. */
    readonly dtype: D;
    /** Dimensions of an item. */
    readonly shape: readonly number[];
    /** What becomes of a reader that is slower than the writer. */
    readonly onSlow: 'block' | 'drop';
    private constructor();
    /**
     * Makes one of which nothing was published.
     * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
     */
    static create<D extends DType = 'float64'>(options: BroadcastOptions<D>): SharedBroadcast<D>;
    /**
     * Opens the broadcast of this name, or makes it: whoever comes first creates, the others attach, and all of them own it.
     * @throws `ERR_SHM_MISMATCH` where the existing one is not as the options say; else as `create` and `attach`.
     */
    static createOrAttach<D extends DType = 'float64'>(name: string, options: BroadcastOptions<D>): SharedBroadcast<D>;
    /**
     * Opens an existing broadcast, by its name or its descriptor.
     * @throws `ENOENT`, `ERR_SHM_NOT_A_BROADCAST`, `ERR_SHM_MISMATCH` (its items are not what the options say),
     * `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`, `ERR_SHM_TOO_MANY` (255 threads have it
     * open), `EACCES`.
     */
    static attach<D extends DType = DType>(target: string | Descriptor, options?: BroadcastAttachOptions<D>): SharedBroadcast<D>;
    /** Whether `close()` was called. */
    get closed(): boolean;
    /** Whether `end()` was called, by anybody. */
    get ended(): boolean;
    /** How many items were published, by all who were the writer. */
    get published(): number;
    /** How many read it, in all processes. One that died counts until the writer has come across it. */
    get subscribers(): number;
    /**
     * Publishes a copy of the item; false where the slowest reader has not read what it would overwrite.
     * @throws `ERR_SHM_ENDED`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, `ERR_SHM_TOO_MANY` (there is another writer),
     * `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    tryPublish(item: DTypes[D]): boolean;
    /**
     * Publishes a copy of the item as it is now, when there is room.
     * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryPublish`.
     */
    publish(item: DTypes[D], options?: WaitOptions): Promise<void>;
    /**
     * Blocks the thread until the item is published.
     * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`; else as `tryPublish`.
     */
    publishSync(item: DTypes[D], options?: SyncWaitOptions): void;
    /** Nothing is published any more: the writer is told, readers read what there is, and then are. */
    end(): void;
    /**
     * Begins to read. Every item that is published from now on is for this reader, and with `oldest` those as well that
     * are there. A writer that waits for readers waits for this one, until it is closed.
     * @throws `ERR_SHM_TOO_MANY` (255 read it), `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
     */
    subscribe(options?: SubscribeOptions): Subscription<D>;
    /** Makes this process an owner. */
    adopt(): void;
    /** Lets go of it in this handle: its subscriptions are closed, and who waits through it does not any more. Idempotent. */
    close(): void;
    /** Removes the name. Whoever is attached goes on with it. */
    unlink(): void;
    /** What `attach()` takes in another process or thread. */
    toJSON(): Descriptor;
    /** `close()` */
    [Symbol.dispose](): void;
}

/** How to make a broadcast. */
interface BroadcastOptions<D extends DType> extends RingOptions<D> {
    /**
     * What becomes of a reader that is slower than the writer: the writer waits for it (`block`), or goes on, and the reader
     * loses what was overwritten (`drop`). Default `block`.
     */
    onSlow?: 'block' | 'drop';
}

/** How to attach to a broadcast. What you say of its items must agree with it. */
type BroadcastAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

/** Where to begin to read. */
interface SubscribeOptions {
    /** At the next item that is published, or at the oldest one that is still there. Default `latest`. */
    from?: 'latest' | 'oldest';
}

/** A reader's own place in a broadcast. */
interface Subscription<D extends DType = DType> extends AsyncIterable<DTypes[D]>, Disposable {
    /** Where the writer does not wait: how many items were overwritten before this one came to them. */
    readonly lost: number;
    /** How many items there are that this one has not read. */
    readonly length: number;
    /** Whether `close()` was called, of this or of its broadcast. */
    readonly closed: boolean;
    /**
     * A fresh copy of the next item; undefined where there is none now.
     * @throws `ERR_SHM_CLOSED`, `ERR_SHM_LOST` (it was taken for dead), `ERR_SHM_CORRUPT`.
     */
    tryNext(): DTypes[D] | undefined;
    /** Copies the next item into `out`; false, with nothing of use in `out`, where there is none now. Throws as `tryNext`. */
    tryNextInto(out: DTypes[D]): boolean;
    /**
     * The next item, when there is one; undefined once the broadcast has ended and everything was read.
     * @throws `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryNext`.
     */
    next(options?: WaitOptions): Promise<DTypes[D] | undefined>;
    /** Blocks the thread for the same. */
    nextSync(options?: SyncWaitOptions): DTypes[D] | undefined;
    /**
     * Items as they come, so many at a time as there are; ends when the broadcast has. A batch costs one turn of the event
     * loop, however many items there are in it.
     */
    batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined>;
    /** Items as they come, until the broadcast has ended and everything was read. Who leaves the loop closes this. */
    [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined>;
    /** Reads no more: the writer does not wait for this one any longer. Idempotent. */
    close(): void;
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
    /** Ends it, all being well, as disposing of it does. Idempotent. */
    end(): void;
}

/** How to wait for a txn, and what it is for. */
type TxnOptions = WaitOptions & {
    /** Beside others who only read. Default false. */
    readOnly?: boolean | undefined;
};

/** The same for a txn that blocks the thread. */
type TxnSyncOptions = SyncWaitOptions & {
    /** Beside others who only read. Default false. */
    readOnly?: boolean | undefined;
};

/** A synchronous body's result. */
type Plain<T> = T extends PromiseLike<unknown> ? never : T;

/** How long to wait, and what calls it off. */
interface WaitOptions {
    /** Milliseconds; 0 does not wait at all. Default: without an end. */
    timeout?: number | undefined;
    /** Rejects the wait with its reason. */
    signal?: AbortSignal | undefined;
}

/** How long to block the thread. */
interface SyncWaitOptions {
    /** Milliseconds; 0 does not wait at all. Default: without an end. */
    timeout?: number | undefined;
    /** So many looks before the thread goes to sleep: a look takes some nanoseconds, a sleep and a wake-up some 50 µs.
     * Default 2000, and 0 where there is one CPU. */
    spin?: number | undefined;
}

/** What a pool's type knows of its module: `Pool<typeof import('./work.js')>`. */
/** Any name, where nobody said what the module exports. */
type AnyName<Module> = unknown extends Module ? string : never;

/** The names of a module's functions that can be called so. */
type NameOf<Module, Called> = {
    [Name in keyof Module]: Module[Name] extends Called ? Name : never;
}[keyof Module] & string;

/** What `run` can call. */
type Call = (...args: never[]) => unknown;

type Arguments<Module, Name> = Name extends keyof Module ? Module[Name] extends (...args: infer Args) => unknown ? Args : never : never;

type Result<Module, Name> = Name extends keyof Module ? Module[Name] extends (...args: never[]) => infer R ? Awaited<R> : never : never;

/** What `map` can. */
type CallOfItem = (item: never) => unknown;

/** What `map` wants items to be. */
type Item<Module, Name> = Arguments<Module, Name> extends readonly [] ? unknown : Arguments<Module, Name>[0];

/** What `mapArray` can. */
type CallOfParts = (input: never, output: never, from: number) => unknown;

/**
 * Worker processes that call the functions of a module. Shared objects among the arguments arrive attached to the same
 * memory, and so do those in results.
 *
 * ```js
 * await using pool = new Pool(new URL('./work.js', import.meta.url));
 * const sums = await pool.map('sumOf', parts); // export function sumOf(part) { … }
 * ```
 *
 * In TypeScript `new Pool<typeof import('./work.js')>(…)` has names, arguments and results checked.
 */
declare class Pool<Module = unknown> implements AsyncDisposable {
    #private;
    /**
     * `module`: a `file:` URL, or a path, which is taken from the process's working directory where it is relative. An ES
     * module or CommonJS, or TypeScript where this process has a loader for it (`--import=tsx`), or Python (`.py`).
     * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
     */
    constructor(module: string | URL, options?: PoolOptions);
    /**
     * Calls a function of the module in a worker process, and resolves to what it returns.
     *
     * If its worker dies, it is not called again, because it may have had effects already.
     * @throws What the function throws; `ERR_SHM_WORKER_DIED` (see `WorkerDiedError`), `ERR_SHM_METHOD`,
     * `ERR_SHM_MODULE`, `ERR_SHM_VALUE` for an argument or a result that cannot be sent, `ERR_SHM_CLOSED`, and what
     * `attach` throws.
     */
    run<R>(method: AnyName<Module>, ...args: unknown[]): Promise<R>;
    /** The same, where it is known what the module exports. */
    run<Name extends NameOf<Module, Call>>(method: Name, ...args: Arguments<Module, Name>): Promise<Result<Module, Name>>;
    /**
     * Calls a function of the module with each item, in as many workers as there are, and resolves to the results in the
     * order of the items. Takes the items as the workers come to them. The first error ends it, with the place of its
     * `item`; those at work finish the item that they are at.
     *
     * A chunk whose worker dies is tried once more: its items may be seen twice.
     * @throws As `run`, and the signal's reason.
     */
    map<T, R>(method: AnyName<Module>, items: Iterable<T>, options?: MapOptions): Promise<R[]>;
    /** The same, where it is known what the module exports. */
    map<Name extends NameOf<Module, CallOfItem>>(method: Name, items: Iterable<Item<Module, Name>>, options?: MapOptions): Promise<Result<Module, Name>[]>;
    /**
     * Calls a function of the module with each part of two arrays, cut along their first dimension: `method(input, output,
     * from)`, where `from` is the part's first index. Workers read and write in place; nothing is copied.
     *
     * `chunk` and `onProgress` count indexes of the first dimension. A part whose worker dies is done once more, so the
     * function must not take its input from where it writes its output.
     * @throws `ERR_OUT_OF_RANGE` where the arrays have no dimension or are not equally long; `ERR_SHM_CLOSED`; else as `map`.
     */
    mapArray(method: AnyName<Module> | NameOf<Module, CallOfParts>, input: SharedArray, output: SharedArray, options?: MapOptions): Promise<void>;
    /**
     * Takes no more work, waits for what is running, and ends the workers. Idempotent.
     */
    close(): Promise<void>;
    /**
     * Takes no more work, has all calls fail at once with `ERR_SHM_CLOSED`, and kills the workers, whatever they are at.
     * Resolves when they are dead, and what nobody but them owned is unlinked. Idempotent; a pending `close()` resolves too.
     */
    terminate(): Promise<void>;
    /** `close()` */
    [Symbol.asyncDispose](): Promise<void>;
}

/** How to make a pool. */
interface PoolOptions {
    /** So many processes at most; each is started when it is needed. Default `os.availableParallelism()`. */
    workers?: number;
    /** The Python that runs a module in Python. Default `python3`. */
    python?: string;
}

/** How to map. */
interface MapOptions {
    /**
     * So many items go to a worker at a time. Default: what gives every worker four rounds, and 1 where the number of
     * items is not known before.
     */
    chunk?: number;
    /**
     * After each chunk. Where the number of items is not known before, `total` is how many were taken so far. What it
     * throws ends the map.
     */
    onProgress?: (done: number, total: number) => void;
    /** Ends the map: no further item is begun. */
    signal?: AbortSignal;
}

/** A pool's worker died, and what it was at is lost. */
interface WorkerDiedError extends ShmError {
    code: 'ERR_SHM_WORKER_DIED';
    /** What it was at. */
    method: string;
    /** Of a `map`: it was at one of the items `from` to `to - 1`. */
    items?: {
        from: number;
        to: number;
    };
    pid?: number;
    /** Null where a signal ended it. */
    exitCode: number | null;
    signal: NodeJS.Signals | null;
}

/**
 * A server process that owns what it hands out: all of it is unlinked when the manager is shut down, or dies, or the
 * process dies that started it. It speaks CPython's protocol, so Python's `SharedMemoryManager` connects to it, and this
 * class connects to Python's.
 *
 * ```js
 * await using manager = await new SharedMemoryManager().start();
 * const shm = await manager.sharedMemory(4096);
 * ```
 */
declare class SharedMemoryManager implements AsyncDisposable {
    #private;
    /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. */
    constructor(options?: ManagerOptions);
    /**
     * Where it listens: what others give as `address`.
     * @throws `ERR_SHM_NOT_STARTED` where none was given, before `start()`.
     */
    get address(): Address;
    /**
     * Starts the server process, which ends with this one. Segments that others make through `connect()` are its own too.
     * Requests wait until it serves; should it not come to that, they fail with `ERR_SHM_START`, or with its reason.
     * @throws `EADDRINUSE`, `ENOENT`, `EACCES`, `ENAMETOOLONG`, … by the address; `ERR_INVALID_ARG_VALUE` for a host that is
     * not this machine's own; `ERR_SHM_START` where there is no process to be had; `ERR_SHM_STARTED`, `ERR_SHM_CLOSED`.
     */
    start(): Promise<this>;
    /**
     * Connects to the server that listens at `address`, Node's or Python's. It goes on when this process ends.
     * @throws `ERR_SHM_AUTH` (another authkey), `ERR_SHM_TIMEOUT`, `ERR_SHM_PROTOCOL` (what listens there is no manager),
     * `ENOENT`, `ECONNREFUSED`, `EACCES`, `ENAMETOOLONG`, …; `ERR_INVALID_ARG_VALUE` where no address or no authkey was given;
     * `ERR_SHM_STARTED`, `ERR_SHM_CLOSED`.
     */
    connect(): Promise<this>;
    /**
     * Makes a segment of `size` zero bytes that the manager owns.
     * @throws As `SharedMemory.create`, and as `list`; nothing is left behind then.
     */
    sharedMemory(size: number): Promise<SharedMemory>;
    /**
     * Makes a list of these values that the manager owns.
     * @throws As `ShareableList.create`, and as `list`; nothing is left behind then.
     */
    shareableList(values: Iterable<ListItem | Float>): Promise<ShareableList>;
    /**
     * Makes an empty dict that the manager owns.
     * @throws As `SharedDict.create`, and as `list`; nothing is left behind then.
     */
    dict<V = unknown>(): Promise<SharedDict<V>>;
    /**
     * Makes an array of zeros that the manager owns, with a `.npy` header.
     * @throws As `SharedArray.create`, and as `list`; nothing is left behind then.
     */
    array<D extends DType = 'float64'>(shape: number | readonly number[], options?: {
        dtype?: D;
    }): Promise<SharedArray<D>>;
    /**
     * The names of the segments that the manager owns, in the order in which it became their owner.
     * @throws `ERR_SHM_TIMEOUT`, `ECONNREFUSED`, `ENOENT` or `ECONNRESET` where it is gone; `ERR_SHM_START` where it could not
     * start; `ERR_SHM_MANAGER` with what it says where it cannot; `ERR_SHM_NOT_STARTED`, `ERR_SHM_CLOSED`.
     */
    names(): Promise<string[]>;
    /**
     * Has the manager unlink one of its segments now. Whoever is attached stays attached.
     * @throws As `names`; `ERR_SHM_MANAGER` where the manager does not own it.
     */
    release(target: string | {
        readonly name: string;
    }): Promise<void>;
    /**
     * Ends the server: what it owns is unlinked when this resolves. One that this object only connected to, too.
     * Idempotent.
     * @throws As `list`, of a manager that this object did not start.
     */
    shutdown(): Promise<void>;
    /** `shutdown()` of what was started; of what was connected to, the connection ends and the manager goes on. */
    [Symbol.asyncDispose](): Promise<void>;
}

/** Where a manager is, and what its clients have to know. */
interface ManagerOptions {
    /**
     * The path of a Unix socket, or a port of this machine (`host`: `'localhost'` or `'127.0.0.1'`; `port`: 0 for a free
     * one). Default: a socket in a directory that nobody else can look into.
     */
    address?: Address;
    /** What both sides know, 1 to 4096 bytes; a string stands for its UTF-8. Default: 32 random bytes. */
    authkey?: Uint8Array | string;
    /** Milliseconds that a request may take. Default 10,000. */
    timeout?: number;
}

/** Where a manager listens: a socket's path, or a port. */
type Address = string | {
    host: string;
    port: number;
};

/** Every segment of the system, whoever made it, by name. */
declare function segments(): SegmentInfo[];

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

/**
 * Unlinks what dead owners left, and returns the names. The resource tracker does so within 100 ms of a death; this
 * is for where there is none.
 * @throws `ERR_SHM_BUSY` where another process has been at it for seconds; `ERR_SHM_UNSAFE_LEDGERS` where others
 * can write to the directory that says who owns what.
 */
declare function collectGarbage(options?: CollectOptions): string[];

/** What `collectGarbage` removes. */
interface CollectOptions {
    /** Say what would be removed, and remove nothing. Default false. */
    dryRun?: boolean;
    /** Also what Python's processes seem to have left: segments of their naming that nobody has open. Default false. */
    python?: boolean;
}

/**
 * Removes the name of a segment that no handle is open for, whoever made it. Whoever is attached stays attached.
 * @throws `ENOENT`, `EPERM` or `EACCES` (another user's), `ERR_SHM_NOT_A_SEGMENT`, `ERR_SHM_NAME`.
 */
declare function unlink(name: string): void;

/**
 * Tells the resource tracker of a Python parent what this process creates, adopts and unlinks from now on, so that
 * it neither removes a segment that was handed over nor complains about one that is gone.
 *
 * @throws `EBADF`; `ERR_INVALID_ARG_VALUE` if `fd` is not a pipe that can be written to.
 */
declare function joinPythonTracker(options: PythonTrackerOptions): void;

/** How to reach the resource tracker of a Python parent. */
interface PythonTrackerOptions {
    /**
     * The file descriptor of the pipe that the parent lets this process inherit:
     * `multiprocessing.resource_tracker.getfd()`. It is duplicated.
     */
    fd: number;
    /**
     * The format in which CPython writes to it. All versions understand `colon`, for ASCII names without a colon; 3.13.10,
     * 3.14.1 and later understand `json`, for any name. Default `colon`.
     */
    format?: 'colon' | 'json';
}

/**
 * How a lock or an event stands at this moment, without taking part in it.
 * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`, `EACCES`.
 */
declare function lockState(name: string): LockState;

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

export { Guard, Pool, SegmentPool, ShareableList, SharedArray, SharedBroadcast, SharedDict, SharedEvent, SharedMemory, SharedMemoryManager, SharedMutex, SharedQueue, attach, collectGarbage, float, joinPythonTracker, lockState, npyHeader, segments, unlink };
export type { Address, ArrayAttachOptions, ArrayCreateOptions, ArrayFromOptions, ArrayOptions, AttachOptions, BatchOptions, BroadcastAttachOptions, BroadcastOptions, ClaimedSlot, CollectOptions, CreateOptions, DType, DTypeOf, DTypes, Descriptor, DictAttachOptions, DictFill, DictOptions, DictTxn, ElementOf, Float, ListAttachOptions, ListCreateOptions, ListItem, LockAttachOptions, LockOptions, LockState, ManagerOptions, MapOptions, Nested, NpyHeader, NpyType, Order, Plain, PoolOptions, PythonTrackerOptions, QueueAttachOptions, QueueOptions, RingAttachOptions, RingOptions, SegmentInfo, SegmentPoolOptions, Shared, SharedObject, ShmError, SliceRange, Slot, SlotHolder, SubscribeOptions, Subscription, SyncWaitOptions, TakenSlot, Txn, TxnOptions, TxnSyncOptions, Typed, WaitOptions, WorkerDiedError };
