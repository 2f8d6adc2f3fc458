import { Buffer, constants } from 'node:buffer';
import { types } from 'node:util';

import * as binding from '#binding';
import {
  checkBoolean,
  checkIndex,
  checkNamed,
  checkOptions,
  checkSize,
  checkTarget,
  descriptorOf,
} from '../common/arguments.js';
import { closedError, detachedError, outOfRange, shmError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { Lock } from '../sync/lock.js';
import { showHandle } from '../common/handle.js';
import type { Inspection } from '../common/handle.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { begin, beginSync, run, runSync } from '../sync/txn.js';
import type { Plain, Txn, TxnOptions, TxnSyncOptions, TxnTarget } from '../sync/txn.js';
import { checkSignal } from '../sync/waits.js';
import { ATTACH_OPTIONS, CREATE_OPTIONS, creation } from './options.js';
import type { AttachOptions, CreateOptions } from './options.js';

/** @internal */
export { creation } from './options.js';
export type { AttachOptions, CreateOptions } from './options.js';

const ASYNC_OPTIONS = [...CREATE_OPTIONS, 'signal'];

/** @internal How JavaScript holds a segment of the binding's. */
export type NativeHandle = ReturnType<typeof binding.createSegment>;

/** @internal What a handle says of its segment. */
export interface Facts {
  name: string;
  size: number;
  created: boolean;
  readOnly: boolean;
}

/** @internal The binding's segment of a handle, for the classes that are built on one. */
export let nativeOf: (memory: SharedMemory) => NativeHandle;
/** @internal A handle for a segment that is open already. */
export let memoryOver: (native: NativeHandle, facts: Facts) => SharedMemory;

/**
 * A named segment of raw bytes, from byte 0 on: the same bytes that Python's
 * `multiprocessing.shared_memory.SharedMemory` of this name shows.
 *
 * ```js
 * using shm = SharedMemory.create(4096, { name: 'frames' });
 * shm.buf[0] = 42; // another process: SharedMemory.attach('frames').buf[0]
 * ```
 */
export class SharedMemory implements SharedObject {
  /** The segment's name, without a leading slash. */
  readonly name: string;
  /** Size in bytes, as its creator asked for. */
  readonly size: number;
  /** Whether this handle created the segment. */
  readonly created: boolean;
  /** Whether writes stay private to this handle. */
  readonly readOnly: boolean;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #native: NativeHandle;
  #buffer: ArrayBuffer | undefined;
  /** For those who only read for a while. */
  #view: ArrayBuffer | undefined;
  #lock: Lock | undefined;
  #target: TxnTarget | undefined;
  #closed = false;

  static {
    nativeOf = (memory) => memory.#native;
    memoryOver = (native, facts) => new SharedMemory(native, facts);
  }

  private constructor(native: NativeHandle, facts: Facts) {
    if (!types.isExternal(native)) throw wrongType('a SharedMemory', 'made by create() or attach()', native);
    this.#native = native;
    this.name = facts.name;
    this.size = facts.size;
    this.created = facts.created;
    this.readOnly = facts.readOnly;
  }

  /**
   * Creates a segment of `size` zero bytes. It appears under its name complete, or not at all.
   * @throws `EEXIST` if the name is taken; `ENOSPC`, `ENOMEM`, `EMFILE` or another system error;
   * `ERR_SHM_NAME`; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2 seconds;
   * `ERR_SHM_PYTHON_TRACKER` (see `joinPythonTracker`); `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE`. Nothing is
   * left behind.
   */
  static create(size: number, options?: CreateOptions): SharedMemory {
    const [name, mode, reserve, populate, track] = creation(options);
    const native = binding.createSegment(checkSize(size), name, mode, reserve, populate, track);
    if (track) warnWhereUntracked();
    return new SharedMemory(native, created(native, name, size));
  }

  /**
   * As `create`, but reserves the memory on another thread, which is worth it from a few MB on. It never waits
   * for another process; `create` takes as long and blocks the event loop.
   * @throws As `create`, and the signal's reason if it aborts. Nothing is left behind.
   */
  static async createAsync(
    size: number,
    options?: CreateOptions & {
      /** Cancels the creation, which then rejects with the signal's reason. Default: none. */
      signal?: AbortSignal;
    },
  ): Promise<SharedMemory> {
    const given = checkOptions(options, ASYNC_OPTIONS);
    const [name, mode, reserve, populate, track] = creation(given, ASYNC_OPTIONS);
    const signal = checkSignal(given.signal);
    checkSize(size);
    signal?.throwIfAborted();
    const flag = new binding.CancelFlag();
    const cancel = () => flag.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const native = await binding.createSegmentAsync(size, name, mode, reserve, populate, track, flag);
      if (track) warnWhereUntracked();
      const memory = new SharedMemory(native, created(native, name, size));
      if (signal?.aborted) discard(memory);
      signal?.throwIfAborted();
      return memory;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /**
   * Opens an existing segment by its name or by the descriptor that another handle's `toJSON()` returned.
   * @throws `ENOENT`; `EACCES`; `ENOSPC` or `ENOMEM` if its unreserved memory cannot be reserved; `EMFILE`;
   * `ELOOP` for a symbolic link; `ERR_SHM_FOREIGN` for a segment of another user; `ERR_SHM_EMPTY` if its
   * creator gave it no size within 0.1 seconds; `ERR_SHM_NOT_A_SEGMENT` for a directory or fifo;
   * `ERR_SHM_UNLINKED` if the descriptor's segment is gone and its name belongs to another; `ERR_SHM_KIND` for
   * a descriptor of another class; `ERR_SHM_NAME`; `ERR_INVALID_ARG_TYPE`; `ERR_INVALID_ARG_VALUE` for a
   * descriptor with a malformed id.
   */
  static attach(target: string | Descriptor, options?: AttachOptions): SharedMemory {
    return attachKind('memory', target, options);
  }

  /**
   * Opens the segment of this name, or creates it. The first caller creates, the others attach, and all of them
   * own it. A segment without owners (made by Python or with `track: false`) is attached to and not owned.
   * `size` is the least number of bytes that it must have.
   * @throws `ERR_SHM_SIZE` if the existing segment is smaller; otherwise as `create` (but not `EEXIST`) and
   * `attach`.
   */
  static createOrAttach(name: string, size: number, options?: CreateOptions): SharedMemory {
    const [, mode, reserve, populate, track] = creation(checkNamed(name, options, CREATE_OPTIONS));
    const native = binding.createOrAttachSegment(name, checkSize(size), mode, reserve, populate, track);
    if (track) warnWhereUntracked();
    return new SharedMemory(native, createdOrAttached(native));
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The bytes in place: what other processes write shows here immediately. A buffer that you kept has length 0
   * after `close()`.
   * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the buffer was transferred before the first use; `ENOMEM`
   * if there is no address space left; `ERR_SHM_BUFFER_TOO_LARGE` if the segment exceeds the runtime's largest
   * buffer (4 GiB in Node 20); `ERR_SHM_NO_EXTERNAL_BUFFERS` (Electron). `read()` and `write()` work even then.
   */
  get buf(): Buffer {
    this.#checkOpen();
    const buf = Buffer.from(this.buffer);
    // From now on a property of this handle, so that `shm.buf[i]` in a loop costs no call and no check;
    // close() takes it away, and this getter is there again.
    Reflect.defineProperty(this, 'buf', { value: buf, configurable: true }); // not on a frozen handle
    return buf;
  }

  /**
   * The `ArrayBuffer` below `buf`, for typed arrays.
   * @throws `ERR_SHM_DETACHED` if it was transferred; otherwise as `buf`.
   */
  get buffer(): ArrayBuffer {
    const buffer = this.#buffer ?? this.#makeBuffer();
    if (buffer.byteLength === 0) throw detachedError(this.name); // no segment is empty
    return buffer;
  }

  #makeBuffer(): ArrayBuffer {
    this.#checkOpen();
    this.#checkSize();
    return (this.#buffer = binding.segmentBuffer(this.#native));
  }

  #checkSize(): void {
    if (this.size > constants.MAX_LENGTH) {
      throw shmError(
        'ERR_SHM_BUFFER_TOO_LARGE',
        `'${this.name}' has ${this.size} bytes, and this runtime has buffers of ${constants.MAX_LENGTH} at most; ` +
          'use read() and write()',
        this.name,
      );
    }
  }

  /**
   * The same bytes as a `SharedArrayBuffer`, which `postMessage` passes to worker threads without a copy. It
   * has a mapping of its own: `close()` does not affect it, and its memory is freed when the last thread drops
   * it.
   * @throws `ERR_SHM_UNSUPPORTED` before Node 22.23.3, 24.16 and 26.1: post `toJSON()` there. `ERR_SHM_CLOSED`,
   * `ENOMEM`, `ERR_SHM_BUFFER_TOO_LARGE`, `ERR_SHM_NO_EXTERNAL_BUFFERS`.
   */
  sharedBuffer(): SharedArrayBuffer {
    this.#checkOpen();
    return binding.segmentSharedBuffer(this.#native);
  }

  /**
   * A private copy of `length` bytes from byte `offset` on. Default: from byte 0, and to the end. Works in
   * every runtime.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ENOMEM`; `ERR_SHM_TRUNCATED` on a
   * read-only handle if another process cut the segment short.
   */
  read(offset = 0, length?: number): Buffer {
    this.#checkOpen();
    checkIndex('offset', offset, this.size);
    const count =
      length === undefined ? this.size - offset : checkIndex('length', length, this.size - offset);
    if (count > constants.MAX_LENGTH)
      throw outOfRange('length', `at most ${constants.MAX_LENGTH} bytes`, count);
    const copy = Buffer.allocUnsafeSlow(count);
    binding.readSegment(this.#native, copy, offset);
    return copy;
  }

  /**
   * Copies all of `bytes` to byte `offset`, by default 0. Works in every runtime.
   * @throws `ERR_OUT_OF_RANGE` if they do not fit, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`,
   * `ERR_INVALID_ARG_TYPE`, `ENOMEM`. Nothing is written then.
   */
  write(bytes: Uint8Array, offset = 0): void {
    this.#checkOpen();
    if (!types.isUint8Array(bytes)) {
      const wanted =
        'a Uint8Array or Buffer (of other arrays: new Uint8Array(x.buffer, x.byteOffset, x.byteLength))';
      throw wrongType('bytes', wanted, bytes);
    }
    if (this.readOnly) {
      throw shmError('ERR_SHM_READ_ONLY', `'${this.name}' is attached read-only in this handle`, this.name);
    }
    checkIndex('offset', offset, this.size);
    if (bytes.length > this.size - offset) {
      throw outOfRange(
        'bytes',
        `at most ${this.size - offset} bytes long to fit at offset ${offset}`,
        bytes.length,
      );
    }
    binding.writeSegment(this.#native, bytes, offset);
  }

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
  async txn<T>(first?: TxnOptions | ((txn: Txn) => T | Promise<T>), options?: TxnOptions): Promise<T | Txn> {
    if (typeof first !== 'function') return begin(this.#txns(), onlyOptions(first, options));
    return run(await begin(this.#txns(), options), first);
  }

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
  txnSync<T>(first?: TxnSyncOptions | ((txn: Txn) => Plain<T>), options?: TxnSyncOptions): T | Txn {
    if (typeof first !== 'function') return beginSync(this.#txns(), onlyOptions(first, options));
    const txn = beginSync(this.#txns(), options);
    try {
      return runSync(txn, first);
    } finally {
      txn.left ??= 'inconsistent'; // where there was no stack to begin
    }
  }

  #txns(): TxnTarget {
    this.#checkOpen();
    return (this.#target ??= {
      name: this.name,
      readOnly: this.readOnly,
      readers: 0,
      closed: false,
      bytes: () => this.buf,
      lock: () => (this.#lock ??= Lock.of(binding.sidecarLock(this.#native), this.name)),
      refresh: () => binding.refreshSegment(this.#native),
      view: () => this.#privateView(),
    });
  }

  /** For a txn that only reads. */
  #privateView(): Buffer {
    if (this.readOnly) return this.buf;
    if (this.#view === undefined) {
      this.#checkSize();
      this.#view = binding.segmentView(this.#native);
    } else {
      binding.refreshSegment(this.#native);
    }
    return Buffer.from(this.#view);
  }

  /**
   * Makes this process an owner, as the creator is. The segment is unlinked when its last owner dies. Attaching
   * alone does not make an owner. Idempotent.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_UNLINKED` if the segment has no name any more, `EPERM` if it belongs to
   * another user; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2 seconds;
   * `ERR_SHM_UNSAFE_LEDGERS` if other users can write to the ledgers; `ERR_SHM_PYTHON_TRACKER`.
   */
  adopt(): void {
    this.#checkOpen();
    binding.adoptSegment(this.#native);
  }

  /**
   * Closes this handle: detaches `buf` and every view of it, and releases the memory. A txn that is still open
   * through this handle ends as if it had thrown. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#target !== undefined) this.#lock?.close(this.#target);
    const buffer = this.#buffer;
    this.#buffer = undefined;
    binding.closeSegment(this.#native, buffer, this.#view);
    this.#view = undefined;
    Reflect.deleteProperty(this, 'buf');
  }

  /**
   * Removes the name. Attached handles keep the memory until they are closed. Works after `close()`.
   * @throws `ENOENT` if the segment was already unlinked, even if its name belongs to a new segment; `EPERM` or
   * `EACCES` if it belongs to another user; `ERR_SHM_BUSY` if other processes hold the ledgers' lock for 2
   * seconds.
   */
  unlink(): void {
    binding.unlinkSegment(this.#native);
  }

  /**
   * Returns the descriptor that `attach()` takes in another process or thread. `JSON.stringify` and
   * `process.send` call it.
   */
  toJSON(): Descriptor {
    return describe('memory', this);
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const size = `size=${options.stylize(String(this.size), 'number')}`;
    const notes = [size, this.readOnly ? 'read-only' : '', this.#closed ? 'closed' : ''];
    return showHandle('SharedMemory', this.name, options, ...notes);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.name);
  }
}

/** A body comes before its options. */
function onlyOptions<T>(first: T, second: unknown): T {
  if (second !== undefined) throw wrongType('the body of a txn', 'a function, before the options', first);
  return first;
}

/** @internal Takes back what was just made. */
export function discard(object: Pick<SharedObject, 'unlink' | 'close'>): void {
  try {
    object.unlink();
  } catch {
    // somebody else unlinked it already
  } finally {
    object.close();
  }
}

/** @internal What a fresh segment's handle says of it. */
export function created(native: NativeHandle, name: string | undefined, size: number): Facts {
  return { name: name ?? binding.segmentName(native), size, created: true, readOnly: false };
}

/** @internal The same of one that there may have been before. */
export function createdOrAttached(native: NativeHandle): Facts {
  const [name, size] = [binding.segmentName(native), binding.segmentSize(native)];
  return { name, size, created: binding.segmentCreated(native), readOnly: false };
}

/** @internal Attaches to the segment of a shared object of this kind, for which there are these options. */
export function attachKind(
  kind: string,
  target: string | Descriptor,
  options?: AttachOptions,
  known: readonly string[] = ATTACH_OPTIONS,
): SharedMemory {
  const named = checkTarget(target, kind);
  const given = checkOptions(options, known);
  const readOnly = checkBoolean('readOnly', given.readOnly, named.readOnly ?? false);
  const foreign = checkBoolean('foreign', given.foreign, false);
  const reserve = checkBoolean('reserve', given.reserve, true);
  const native = binding.attachSegment(named.name, readOnly, foreign, reserve, named.id);
  return memoryOver(native, {
    name: named.name,
    size: binding.segmentSize(native),
    created: false,
    readOnly,
  });
}

/** @internal The descriptor of a shared object of this kind that lies in `memory`. */
export function describe(kind: string, memory: SharedMemory): Descriptor {
  const { name, size, readOnly } = memory;
  return descriptorOf(kind, name, binding.segmentId(nativeOf(memory)), {
    size,
    ...(readOnly && { readOnly }),
  });
}
