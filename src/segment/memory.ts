import { Buffer, constants } from 'node:buffer';
import { types } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import {
  checkBoolean,
  checkIndex,
  checkMode,
  checkName,
  checkNamed,
  checkOptions,
  checkSize,
  checkTarget,
} from '../common/arguments.js';
import { closedError, detachedError, outOfRange, shmError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { Lock } from '../sync/lock.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { begin, beginSync, run, runSync } from '../sync/txn.js';
import type { Plain, Txn, TxnOptions, TxnSyncOptions, TxnTarget } from '../sync/txn.js';
import { checkSignal } from '../sync/waits.js';

/** How to create a segment. */
export interface CreateOptions {
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
export interface AttachOptions {
  /** Writes stay private to this handle; a page written to stops following the others. Default false. */
  readOnly?: boolean;
  /** Allow a segment of another user. Default false. */
  foreign?: boolean;
  /** Put memory behind holes that the creator left (CPython reserves nothing). Default true. */
  reserve?: boolean;
}

/** @internal */
export const CREATE_OPTIONS = ['name', 'mode', 'reserve', 'populate', 'track'];
const ASYNC_OPTIONS = [...CREATE_OPTIONS, 'signal'];
/** @internal */
export const ATTACH_OPTIONS = ['readOnly', 'foreign', 'reserve'];

/** @internal How JavaScript holds a segment of the binding's. */
export type NativeHandle = ReturnType<typeof binding.createSegment>;

/** @internal The options of a creation, of which there are these, checked, in the order in which the binding takes them. */
export function creation(
  options: CreateOptions | undefined,
  known: readonly string[] = CREATE_OPTIONS,
): [name: string | undefined, mode: number, reserve: boolean, populate: boolean, track: boolean] {
  const { name, mode, reserve, populate, track } = checkOptions(options, known);
  return [
    name === undefined ? undefined : checkName(name),
    checkMode(mode),
    checkBoolean('reserve', reserve, true),
    checkBoolean('populate', populate, false),
    checkBoolean('track', track, true),
  ];
}

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
 * A named segment of raw bytes, from byte 0 on: what Python's `multiprocessing.shared_memory.SharedMemory`
 * of the same name shows.
 *
 * ```js
 * using shm = SharedMemory.create(4096, { name: 'frames' });
 * shm.buf[0] = 42; // another process: SharedMemory.attach('frames').buf[0]
 * ```
 */
export class SharedMemory implements SharedObject {
  readonly name: string;
  /** Bytes that its creator asked for. */
  readonly size: number;
  /** Whether this handle made it. */
  readonly created: boolean;
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
   * Makes a segment of `size` zero bytes. It appears under its name whole, or not at all.
   * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
   */
  static create(size: number, options?: CreateOptions): SharedMemory {
    const [name, mode, reserve, populate, track] = creation(options);
    const native = binding.createSegment(checkSize(size), name, mode, reserve, populate, track);
    if (track) warnWhereUntracked();
    return new SharedMemory(native, created(native, name, size));
  }

  /**
   * As `create`, with the memory reserved off the event loop's thread, which pays from a few MB on. It never waits for
   * another process: its twin is `create`, which takes as long and holds the event loop meanwhile.
   * @throws As `create`, and the signal's reason when that aborts; the segment is not there then.
   */
  static async createAsync(
    size: number,
    options?: CreateOptions & { signal?: AbortSignal },
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
   * Opens an existing segment, by its name or by the descriptor that another handle's `toJSON()` gave.
   * @throws `ENOENT`, `EACCES`, `ENOSPC` (its holes cannot be reserved), `ERR_SHM_FOREIGN` (another user's),
   * `ERR_SHM_EMPTY` (its creator never sized it), `ERR_SHM_UNLINKED` (the descriptor's segment is gone and
   * its name belongs to another), `ERR_SHM_NOT_A_SEGMENT` (a folder, a fifo), `ELOOP` (a symbolic link),
   * `ERR_SHM_NAME`.
   */
  static attach(target: string | Descriptor, options?: AttachOptions): SharedMemory {
    return attachKind('memory', target, options);
  }

  /**
   * Opens the segment of this name, or makes it: whoever comes first creates, the others attach, and all of them own
   * it. (One that nobody owns, made by Python or with `track: false`, they attach to.) `size` is the least it must
   * have.
   * @throws `ERR_SHM_SIZE` where the existing one is smaller; else as `create` and `attach`.
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
   * The bytes, in place: what others write shows here at once. A buffer that you kept has length 0 after
   * `close()`; asking for it again throws.
   * @throws `ERR_SHM_CLOSED`; `ERR_SHM_BUFFER_TOO_LARGE` beyond what this Node has buffers for (4 GiB in
   * Node 20); `ERR_SHM_NO_EXTERNAL_BUFFERS` (Electron). `read()` and `write()` work then, too.
   */
  get buf(): Buffer {
    this.#checkOpen();
    const buf = Buffer.from(this.buffer);
    // From now on a property of this handle, so that `shm.buf[i]` in a loop costs no call and no check;
    // close() takes it away, and this getter is there again.
    Reflect.defineProperty(this, 'buf', { value: buf, configurable: true }); // not on a frozen handle
    return buf;
  }

  /** The `ArrayBuffer` below `buf`, for typed arrays. Throws as `buf` does. */
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
   * The same bytes as a `SharedArrayBuffer`, to be posted to worker threads without a copy. It has a mapping
   * of its own and a life of its own: `close()` leaves it alone, and the last thread to drop it frees it.
   * @throws `ERR_SHM_UNSUPPORTED` before Node 22.23.3, 24.16, 26.1: post `toJSON()` there.
   */
  sharedBuffer(): SharedArrayBuffer {
    this.#checkOpen();
    return binding.segmentSharedBuffer(this.#native);
  }

  /**
   * A private copy of `length` bytes from `offset` (default: all). Works in every runtime.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_CLOSED`.
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
   * Copies all of `bytes` to `offset`. Works in every runtime.
   * @throws `ERR_OUT_OF_RANGE` where they do not fit, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`; nothing is
   * written then.
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
  async txn<T>(first?: TxnOptions | ((txn: Txn) => T | Promise<T>), options?: TxnOptions): Promise<T | Txn> {
    if (typeof first !== 'function') return begin(this.#txns(), onlyOptions(first, options));
    return run(await begin(this.#txns(), options), first);
  }

  /**
   * As `txn`, and blocks the thread. A body must not be asynchronous.
   * @throws As `txn`; `ERR_SHM_DEADLOCK` where this thread is in a txn of the segment already.
   */
  txnSync(options?: TxnSyncOptions): Txn;
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
   * Makes this process an owner, as its creator is: the segment is unlinked when the last of them is dead.
   * Attaching alone never does. Idempotent.
   * @throws `ERR_SHM_UNLINKED` where it has no name any more, `EPERM` (another user's), `ERR_SHM_CLOSED`.
   */
  adopt(): void {
    this.#checkOpen();
    binding.adoptSegment(this.#native);
  }

  /**
   * Detaches `buf` and every view of it, and gives the memory back. A txn that goes on through this handle ends, as if
   * it had thrown. Idempotent.
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
   * Removes the name. Whoever is attached keeps the memory until it closes. Works after `close()`.
   * @throws `ENOENT` where the segment was unlinked already, also when its name belongs to a new one.
   */
  unlink(): void {
    binding.unlinkSegment(this.#native);
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return describe('memory', this);
  }

  /** `close()` */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
    const name = options.stylize(`'${this.name}'`, 'string');
    const size = options.stylize(String(this.size), 'number');
    return `SharedMemory(${name}, size=${size}${this.readOnly ? ', read-only' : ''}${this.#closed ? ', closed' : ''})`;
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
  return { kind, name, size, id: binding.segmentId(nativeOf(memory)), ...(readOnly && { readOnly }) };
}
