import { isDeepStrictEqual } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import { checkNamed, checkTarget } from '../common/arguments.js';
import { wrongType } from '../common/errors.js';
import { SegmentHandle, showHandle } from '../common/handle.js';
import type { Inspection } from '../common/handle.js';
import type { Descriptor } from '../common/shared-object.js';
import type { Hold } from '../sync/lock.js';
import type { Plain, TxnOptions, TxnSyncOptions } from '../sync/txn.js';
import { calls } from './call-buffer.js';
import { Handle } from './handle.js';
import { OBJECTS } from './kinds.js';
import { checkAttachOptions, create, OPTIONS } from './options.js';
import type { DictAttachOptions, DictOptions } from './options.js';
import { Reader } from './reader.js';
import { TxnRunner } from './txn-runner.js';
import { sum } from './txn.js';
import type { Change, DictTxn } from './txn.js';
import { checkBody, checkKey, copyOf, encode } from './values.js';
import { Writer } from './writer.js';

export type { DictAttachOptions, DictOptions } from './options.js';

/** How full a dict is. */
export interface DictFill {
  /** Bytes that its entries and its table take. */
  used: number;
  /** Number of commits since the dict was created. */
  generation: number;
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
export class SharedDict<V = unknown> extends SegmentHandle implements Iterable<[string, V]> {
  readonly #handle: Handle;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #txns: TxnRunner<V>;

  private constructor(handle: Handle) {
    if (!(handle instanceof Handle)) throw wrongType('a SharedDict', 'made by create() or attach()', handle);
    super('dict', handle, handle.readOnly ? { readOnly: true } : {});
    this.#handle = handle;
    this.#writer = new Writer(handle);
    this.#reader = new Reader(handle, this.#writer);
    this.#txns = new TxnRunner(handle, this.#reader, this.#writer);
  }

  /**
   * Creates an empty dict.
   * @throws `ERR_SHM_TOO_MANY` if this thread has too many dicts open; otherwise as `SharedMemory.create` and
   * `SharedMemory.buffer`. Nothing is left behind.
   */
  static create<V>(options?: DictOptions): SharedDict<V> {
    const [native, settings] = create(options, false);
    return new SharedDict<V>(new Handle(native, false, settings));
  }

  /**
   * Opens the dict of this name, or creates it. The first caller creates, the others attach, and all of them
   * own it.
   * @throws `ERR_SHM_NOT_A_DICT` if the name belongs to something else; otherwise as `create` (but not
   * `EEXIST`) and `attach`.
   */
  static createOrAttach<V>(name: string, options?: DictOptions): SharedDict<V> {
    const [native, settings] = create(checkNamed(name, options, OPTIONS), true);
    return new SharedDict<V>(new Handle(native, false, settings));
  }

  /**
   * Opens an existing dict, by its name or its descriptor.
   * @throws `ERR_SHM_NOT_A_DICT` if the segment is something else; `ERR_SHM_VERSION` if an incompatible version
   * of shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` if this thread has too many dicts open;
   * `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` (but not `ENOSPC`) and `SharedMemory.buffer`.
   */
  static attach<V>(target: string | Descriptor, options?: DictAttachOptions): SharedDict<V> {
    const named = checkTarget(target, 'dict');
    const { readOnly, foreign, settings } = checkAttachOptions(options, named.readOnly);
    const native = binding.attachDict(named.name, readOnly, foreign, named.id);
    return new SharedDict<V>(new Handle(native, readOnly, settings));
  }

  /**
   * Number of entries.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  get size(): number {
    return this.#reader.size();
  }

  /**
   * Bytes that the dict takes in `/dev/shm`.
   * @throws `ERR_SHM_CLOSED`.
   */
  get byteLength(): number {
    this.#handle.checkOpen();
    return binding.dictByteLength(this.#handle.native);
  }

  /**
   * Bytes that the dict may grow to, as `maxByteLength` set when it was created.
   * @throws `ERR_SHM_CLOSED`.
   */
  get maxByteLength(): number {
    this.#handle.checkOpen();
    return this.#handle.maxByteLength;
  }

  /**
   * How full the dict is, and how often it was written to.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  get fill(): DictFill {
    this.#handle.checkOpen();
    return binding.dictFill(this.#handle.native);
  }

  // ---- reading

  /**
   * Returns a fresh copy of the current value, or undefined if the key is missing.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`; `ERR_SHM_KEY` for a key with lone surrogates;
   * `ERR_INVALID_ARG_TYPE`; `ERR_SHM_VALUE` if a newer shmkit stored a value of an unknown kind. If others
   * write without pause, as `set`, or `ERR_SHM_BUSY` on a read-only handle.
   */
  get(key: string): V | undefined {
    return this.#reader.get(key) as V | undefined;
  }

  /**
   * Whether the key exists.
   * @throws As `get`.
   */
  has(key: string): boolean {
    return this.#reader.has(key);
  }

  /**
   * Iterates over the keys as they are at the start; a key that is added or deleted meanwhile may be among
   * them. In a read-only txn, all keys are of one moment.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  *keys(): IterableIterator<string> {
    yield* this.#reader.keys();
  }

  /**
   * Iterates over the values: those of the keys at the start, each as it is when it is reached. Deleted keys
   * are left out.
   * @throws As `get`.
   */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /**
   * Iterates over the entries: the keys at the start, each with its value when it is reached. Deleted keys are
   * left out.
   * @throws As `get`.
   */
  *entries(): IterableIterator<[string, V]> {
    for (const key of this.#reader.keys()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /**
   * As `entries`.
   * @throws As `get`.
   */
  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.entries();
  }

  /**
   * Calls `visit` with each value and key, in the order of `entries`.
   * @throws What `visit` throws; otherwise as `get`.
   */
  forEach(visit: (value: V, key: string) => void): void {
    checkBody(visit);
    for (const [key, value] of this.entries()) visit(value, key);
  }

  /**
   * Returns all entries as they are at one moment.
   * @throws As `txnSync` with `readOnly`.
   */
  toObject(): Record<string, V> {
    const entries = this.txnSync((txn) => [...txn.entries()] as never, { readOnly: true });
    // Not by assignment, which takes '__proto__' for something else.
    return Object.fromEntries(entries as [string, V][]);
  }

  // ---- writing

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
  set(key: string, value: V): this {
    this.#writer.set(key, value);
    return this;
  }

  /**
   * Deletes a key, and returns whether it existed.
   * @throws As `set`, without the errors about values.
   */
  delete(key: string): boolean {
    return this.#writer.withLock(() => calls.delete(this.#handle.number, key));
  }

  /**
   * Deletes all keys at once.
   * @throws As `set`, without the errors about keys and values.
   */
  clear(): void {
    this.#writer.withLock(() => binding.dictClear(this.#handle.native));
  }

  /**
   * Returns the existing value, or sets and returns this one.
   * @throws As `set`.
   */
  getOrInsert(key: string, value: V): V {
    const encoded = encode(value, 'staged');
    return this.#writer.withLock(() => {
      const known = this.#writer.now(key) as V | undefined;
      if (known !== undefined) return known;
      this.#writer.putEncoded(key, encoded);
      return value;
    });
  }

  /**
   * Returns the existing value, or sets and returns what `compute` makes of the key. Only one process runs
   * `compute`, and other writers wait for it.
   * @throws What `compute` throws; otherwise as `set`.
   */
  getOrInsertComputed(key: string, compute: (key: string) => V): V {
    checkBody(compute);
    const known = this.get(key);
    if (known !== undefined) return known;
    return this.#writer.withLock(() => {
      const meanwhile = this.#writer.now(key) as V | undefined;
      if (meanwhile !== undefined) return meanwhile;
      const value = compute(key);
      this.#writer.put(key, value);
      return value;
    }, this.#writer.newHold());
  }

  /**
   * Sets the value to what `change` returns, without other writes in between, and returns it. If `change`
   * throws, nothing changes.
   * @throws What `change` throws; otherwise as `set`.
   */
  update(key: string, change: (old: V | undefined) => V): V {
    checkBody(change);
    return this.#change(key, change, this.#writer.newHold());
  }

  #change(key: string, change: (old: V | undefined) => V, hold?: Hold): V {
    return this.#writer.withLock(() => {
      const value = change(this.#writer.now(key) as V | undefined);
      this.#writer.put(key, value);
      return value;
    }, hold);
  }

  /**
   * Adds `by`, by default 1, to a number, without other writes in between, and returns the sum. A missing key
   * counts as 0.
   * @throws `ERR_SHM_VALUE` if the value is not a number; `ERR_INVALID_ARG_TYPE` if `by` is not; otherwise as
   * `set`.
   */
  increment(key: string, by = 1): number {
    return this.#change(key, (old) => sum(this.name, key, old, by) as V) as number;
  }

  /**
   * Sets the value if the current one equals `expected` (undefined: the key is missing), and returns whether it
   * did. Objects are compared as by `util.isDeepStrictEqual`, other values by their stored bytes.
   * @throws As `set`.
   */
  compareAndSet(key: string, expected: V | undefined, value: V): boolean {
    const [before, after] = [
      expected === undefined ? undefined : encode(expected, 'borrowed'),
      encode(value, 'borrowed'),
    ];
    return this.#writer.withLock(() => {
      const { number } = this.#handle;
      const equal =
        before === undefined || before.kind >= OBJECTS
          ? isDeepStrictEqual(this.#writer.now(key), before && copyOf(before))
          : calls.matches(number, key, before.value, before.kind);
      if (equal) calls.set(number, key, after.value, after.kind);
      return equal;
    });
  }

  /**
   * Sets all of these entries in one commit.
   * @throws As `set`.
   */
  assign(entries: Record<string, V> | Iterable<[string, V]>): this {
    if (typeof entries !== 'object' || entries === null) throw wrongType('entries', 'an object', entries);
    const all = Symbol.iterator in entries ? (entries as Iterable<[string, V]>) : Object.entries(entries);
    const changes = new Map<string, Change>();
    for (const entry of all) {
      if (!Array.isArray(entry)) throw wrongType('an entry', 'a key and a value, [key, value]', entry);
      changes.set(checkKey(entry[0]), encode(entry[1]));
    }
    this.#writer.withLock(() => this.#writer.commit(changes));
    return this;
  }

  // ---- txns

  /**
   * Reads and writes several keys as one: other processes see all of its changes or none, even if this process
   * dies. A body that throws changes nothing. With `readOnly` the body runs beside writers and sees the dict at
   * one moment; it may run more than once.
   * @throws What the body throws; `ERR_SHM_TIMEOUT` (default: no timeout); the signal's reason;
   * `ERR_INVALID_RETURN_VALUE` if the body returns a promise; `ERR_SHM_BUSY` on a read-only handle if others
   * write for longer than `lockTimeout`, or one died while it wrote; otherwise as `set`.
   */
  async txn<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnOptions): Promise<T> {
    return this.#txns.run(body, options);
  }

  /**
   * As `txn`, but blocks the thread.
   * @throws `ERR_SHM_DEADLOCK` inside another txn of this thread; otherwise as `txn`.
   */
  txnSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T {
    return this.#txns.runSync(body, options);
  }

  // ---- as all shared objects

  /** Closes this handle and releases its memory. Idempotent. */
  override close(): void {
    const handle = this.#handle;
    if (!this.markClosed()) return;
    handle.closed = true;
    const buffer = handle.table.close();
    this.#writer.close();
    binding.closeDict(handle.native, buffer);
  }

  /**
   * Removes the name. Attached handles keep the memory; only those that have written before can go on writing.
   * @throws As `SharedMemory.unlink`.
   */
  override unlink(): void {
    if (!this.closed && !this.#handle.readOnly) this.#writer.getReady();
    super.unlink();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    depth: number,
    options: Inspection,
    inspect: (value: unknown, options: InspectOptions) => string,
  ): string {
    const shown = showHandle('SharedDict', this.name, options, this.closed ? 'closed' : `${this.size}`);
    return this.closed || depth < 0 ? shown : `${shown} ${inspect(this.toObject(), options)}`;
  }
}
